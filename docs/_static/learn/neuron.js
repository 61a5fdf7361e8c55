/* The functions of one neuron; `tinynet.js` says what each takes and returns, and loads this file. */

globalThis.TinyNetNeuron = (tools, at) => {
  "use strict"
  const { BLOCK, call, check, eachBlock, labels, learned, neuronWeights, number, numbers } = tools
  const { positive, probabilities, table, whole } = tools

  /** Train `weights` and `bias` (one number) in place; returns the losses. */
  function trainInPlace(X, y, rate, epochs, weights, bias) {
    const n = X.shape[0]
    const step = new Float64Array(Math.min(n, BLOCK)).fill(rate)
    const losses = new Float64Array(epochs)
    const run = (rows, first, last, own) =>
      call("sgd_epochs", rows, y.subarray(first, last), step.subarray(0, last - first), weights, bias, own)
    if (n <= BLOCK) run(X, 0, n, losses)
    else
      for (let epoch = 0; epoch < epochs; epoch++)
        eachBlock(X, (first, last, rows) => run(rows, first, last, losses.subarray(epoch, epoch + 1)))
    return losses
  }

  function sigmoid(z) {
    return call("sigmoid", number(z, "z"))
  }

  function logit(x, weights, bias) {
    const row = numbers(x, "x")
    const out = new Float64Array(1)
    const own = neuronWeights(weights, row.length)
    call("logits", { data: row, shape: [1, row.length] }, own, Float64Array.of(number(bias, "bias")), out)
    return out[0]
  }

  const squaredError = (probability, label) =>
    call("row_loss", 0, number(probability, "probability"), labels([label], 1)[0], at.SQUARED_ERROR, 0)

  const crossEntropy = (z, label) => call("cross_entropy", number(z, "z"), labels([label], 1)[0])

  function predictNeuron(X, weights, bias) {
    const rows = table(X, undefined, numbers(weights, "weights").length)
    const own = neuronWeights(weights, rows.shape[1])
    const offset = Float64Array.of(number(bias, "bias"))
    return probabilities(rows, (block, out) => call("logits", block, own, offset, out))
  }

  function trainNeuron({ X, y, learningRate, epochs = 1, weights, bias = 0, width }) {
    const rows = table(X, width, weights && weights.length)
    const own = neuronWeights(weights, rows.shape[1])
    const offset = Float64Array.of(number(bias, "bias"))
    const rate = positive(learningRate, "learningRate")
    const losses = trainInPlace(rows, labels(y, rows.shape[0]), rate, whole(epochs, "epochs"), own, offset)
    learned(own, offset)
    return { weights: Array.from(own), bias: offset[0], losses: Array.from(losses) }
  }

  function neuronStep({ x, y, weights, bias = 0, learningRate }) {
    const row = numbers(x, "x")
    const own = neuronWeights(weights, row.length)
    const after = trainNeuron({ X: [row], y: [y], learningRate, weights: own, bias })
    const z = logit(row, own, bias)
    const prediction = sigmoid(z)
    const error = prediction - y
    const biasNudge = learningRate * error
    return {
      products: Array.from(row, (value, j) => logit([value], [own[j]], 0)),
      z,
      prediction,
      error,
      squaredError: after.losses[0],
      crossEntropy: crossEntropy(z, y),
      nudges: Array.from(row, (value) => biasNudge * value),
      biasNudge,
      weights: after.weights,
      bias: after.bias,
    }
  }

  function sweep({ X, y, learningRates, epochs = 1, weights, bias = 0, width }) {
    const rows = table(X, width, weights && weights.length)
    const own = labels(y, rows.shape[0])
    const start = neuronWeights(weights, rows.shape[1])
    const found = { weights: [], biases: [], losses: [] }
    check(learningRates.length > 0, "learningRates is empty")
    for (const rate of numbers(learningRates, "learningRates")) {
      const w = start.slice()
      const b = Float64Array.of(number(bias, "bias"))
      const losses = trainInPlace(rows, own, positive(rate, "a learning rate"), whole(epochs, "epochs"), w, b)
      found.weights.push(Array.from(w))
      found.biases.push(b[0])
      found.losses.push(Array.from(losses))
    }
    return found
  }

  return { sigmoid, logit, squaredError, crossEntropy, predictNeuron, neuronStep, trainNeuron, sweep }
}
