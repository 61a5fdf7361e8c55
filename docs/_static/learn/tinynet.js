/*
 * TinyNet: the package's kernels, run in the page.
 *
 * The kernels are those of engine="portable". `python native/wasm.py` compiles them to WebAssembly and writes
 * kernels.js, which lies beside this file. So weights, losses and predictions here have the bits that Python gives.
 * This file only checks what it is given and moves arrays; the two products of `neuronStep` that it forms itself say so.
 *
 *     const net = await TinyNet.ready
 *     const { weights, bias, losses } = net.trainNeuron({ X: [[1], [2], [3], [4]], y: [0, 0, 1, 1], learningRate: 0.1 })
 *
 * Words used below:
 *
 *   Rows     what `X` may be: an array of rows (number[][]), or a flat number[] or Float64Array. A flat one is read row
 *            by row, `width` numbers a row; without `width`, one number a row.
 *   Labels   what `y` may be: a number[] or typed array of 0 (fail) and 1 (pass), one a row.
 *   Network  { weights, biases, activation }: as Python's `MLP` has them. weights[k][j][u] leads from input j of layer k
 *            to its unit u, and biases[k][u] is that unit's bias. The last layer has one unit, a sigmoid. `activation`
 *            is that of the hidden layers: "sigmoid" (if it is left out), "tanh", "relu", "leaky_relu", "silu" or
 *            "identity". Results never change what was passed in.
 *
 * Every function throws an Error with a plain message if it is given something that it cannot use: rows of different
 * widths, a number that is not finite, a label other than 0 and 1, a rate so large that weights overflow.
 *
 * The functions of `await TinyNet.ready`:
 *
 *   sigmoid(z)                                       -> number
 *   logit(x, weights, bias)                          -> number: the sum of one row, x is number[]
 *   squaredError(probability, label)                 -> number: what a neuron's `losses` add up
 *   crossEntropy(z, label)                           -> number: of the sum z; a network's losses are means of it
 *   predictNeuron(X, weights, bias)                  -> Float64Array: a probability of a pass for each row
 *   neuronStep({ x, y, weights, bias, learningRate }) -> one step of one row, number by number:
 *       { products, z, prediction, error, squaredError, crossEntropy, nudges, biasNudge, weights, bias }
 *       with the weights and the bias after the step
 *   trainNeuron({ X, y, learningRate, epochs = 1, weights = zeros, bias = 0, width })
 *       -> { weights: number[], bias: number, losses: number[] }; losses: for each epoch the sum of the squared errors,
 *       each taken before its row's update. Rows are taken in order, one update a row.
 *   sweep({ X, y, learningRates, epochs = 1, weights = zeros, bias = 0, width })
 *       -> { weights: number[][], biases: number[], losses: number[][] }, an entry for each rate. A rate that overflows
 *       does not throw here: its numbers are NaN or infinite
 *   predictNetwork(X, network)                       -> Float64Array: a probability of a pass for each row
 *   trainNetwork({ X, y, learningRate, epochs = 1, batchSize = all rows, weights, biases, activation, width })
 *       -> { weights, biases, activation, losses: number[] }; losses: the mean cross-entropy of each epoch. So the result
 *       can be passed on: trainNetwork({ X, y, learningRate, ...result })
 *   networkStep({ X, y, learningRate, weights, biases, activation, width })
 *       -> one step of one batch, number by number, named as `tinynet-fast trace --network --json` names it:
 *       { rows: [{ inputs, label, sums, outputs, deltas, z, prediction, error, loss }], loss,
 *         gradients: { weights, biases }, weightsAfter, biasesAfter }
 *       sums[k][u], outputs[k][u] and deltas[k][u] are of unit u of layer k: its sum, what it sends on, and the loss's
 *       derivative by its sum (the blame)
 *   passFailRows(n, seed = 0)                        -> { X: Float64Array, y: Float64Array, width: 2 }: made-up students.
 *       Hours of study and of sleep, each less an average; whole-number arithmetic alone, so Python makes the same rows
 *
 * Python's first weights come from NumPy's generator. The page has no generator of its own: pass the numbers that Python
 * printed.
 */
