/* The tutorial's loops in C, as contenders of the benchmark: gcc.py compiles them with -O3 -march=native -ffast-math.

   Each loop is written once, for any size. `always_inline` and constants give gcc a copy for each size that is measured,
   so that it can unroll the loops and keep small weights in registers. All other sizes share one copy. */

#include <math.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define UNROLLED _Pragma("GCC unroll 8") /* rows of 256 inputs are a quarter faster with it */

INLINE double sigmoid(double z) { return 1.0 / (1.0 + exp(-z)); }

/* One neuron: an update after each row. `weights` has the d weights and then the bias; `losses` gets the sum of squared
   errors of each epoch. */
INLINE void neuron(const double *restrict X, const double *restrict y, long n, int d, double rate,
                   double *restrict weights, long epochs, double *restrict losses) {
    double w[d], bias = weights[d];
    memcpy(w, weights, sizeof w);
    for (long epoch = 0; epoch < epochs; epoch++) {
        double loss = 0.0;
        for (long i = 0; i < n; i++) {
            const double *restrict x = X + i * d;
            double z = bias;
            UNROLLED for (int j = 0; j < d; j++)
                z += x[j] * w[j];
            const double error = sigmoid(z) - y[i], step = rate * error;
            loss += error * error;
            UNROLLED for (int j = 0; j < d; j++)
                w[j] -= step * x[j];
            bias -= step;
        }
        losses[epoch] = loss;
    }
    memcpy(weights, w, sizeof w);
    weights[d] = bias;
}

#define NEURON(D) case D: neuron(X, y, n, D, rate, weights, epochs, losses); break

void train_neuron(const double *X, const double *y, long n, long d, double rate, double *weights, long epochs,
                  double *losses) {
    switch (d) {
        NEURON(1);
        NEURON(2);
        NEURON(4);
        NEURON(16);
        NEURON(64);
        NEURON(256);
        default: neuron(X, y, n, d, rate, weights, epochs, losses);
    }
}

/* A network with one hidden layer of h sigmoids and one output: an update after each batch. The parameters are W1
   (d rows of h), b1, W2 and b2, one after the other. T rows of a batch go through the layers side by side, so that gcc
   uses vectors of rows; rows that are missing in the last tile of a batch count as zeros without an error. */
INLINE void network(const double *restrict X, const double *restrict y, long n, int d, int h, int T, long batch,
                    double rate, double *restrict parameters, long epochs, double *restrict losses) {
    const int size = d * h + h + h + 1;
    double gradient[size], x[d][T], a[h][T], slope[h][T], z[T], error[T];
    const double *W1 = parameters, *b1 = W1 + d * h, *W2 = b1 + h, *b2 = W2 + h;
    double *G1 = gradient, *g1 = G1 + d * h, *G2 = g1 + h, *g2 = G2 + h;
    for (long epoch = 0; epoch < epochs; epoch++) {
        double loss = 0.0;
        for (long first = 0; first < n; first += batch) {
            const long end = first + batch < n ? first + batch : n;
            memset(gradient, 0, sizeof gradient);
            for (long i = first; i < end; i += T) {
                const int rows = end - i < T ? end - i : T;
                if (rows < T)
                    memset(x, 0, sizeof x);
                for (int r = 0; r < rows; r++)
                    for (int j = 0; j < d; j++)
                        x[j][r] = X[(i + r) * d + j];
                for (int u = 0; u < h; u++) {
                    double sum[T];
                    for (int r = 0; r < T; r++)
                        sum[r] = b1[u];
                    for (int j = 0; j < d; j++)
                        for (int r = 0; r < T; r++)
                            sum[r] += x[j][r] * W1[j * h + u];
                    for (int r = 0; r < T; r++)
                        a[u][r] = sigmoid(sum[r]);
                }
                for (int r = 0; r < T; r++)
                    z[r] = *b2;
                for (int u = 0; u < h; u++)
                    for (int r = 0; r < T; r++)
                        z[r] += a[u][r] * W2[u];
                for (int r = 0; r < T; r++)
                    error[r] = sigmoid(z[r]);
                for (int r = 0; r < T; r++) {
                    error[r] = r < rows ? error[r] - y[i + r] : 0.0;
                    loss += error[r] * error[r];
                    *g2 += error[r];
                }
                for (int u = 0; u < h; u++)
                    for (int r = 0; r < T; r++) {
                        G2[u] += error[r] * a[u][r];
                        slope[u][r] = error[r] * W2[u] * a[u][r] * (1.0 - a[u][r]);
                        g1[u] += slope[u][r];
                    }
                for (int j = 0; j < d; j++)
                    for (int u = 0; u < h; u++) {
                        double sum = 0.0;
                        for (int r = 0; r < T; r++)
                            sum += x[j][r] * slope[u][r];
                        G1[j * h + u] += sum;
                    }
            }
            const double step = rate / (end - first);
            for (int k = 0; k < size; k++)
                parameters[k] -= step * gradient[k];
        }
        losses[epoch] = loss;
    }
}

#define TILES(D, H)                                                                                                    \
    if (batch == 1)                                                                                                    \
        network(X, y, n, D, H, 1, batch, rate, parameters, epochs, losses);                                            \
    else if (batch <= 4)                                                                                               \
        network(X, y, n, D, H, 4, batch, rate, parameters, epochs, losses);                                            \
    else                                                                                                               \
        network(X, y, n, D, H, 32, batch, rate, parameters, epochs, losses)

void train_network(const double *X, const double *y, long n, long d, long h, long batch, double rate, double *parameters,
                   long epochs, double *losses) {
    if (d == 2 && h == 4) {
        TILES(2, 4);
    } else if (d == 16 && h == 32) {
        TILES(16, 32);
    } else if (d == 64 && h == 16) {
        TILES(64, 16);
    } else {
        TILES(d, h);
    }
}
