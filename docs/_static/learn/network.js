/* The functions of a network; `tinynet.js` says what each takes and returns, and loads this file. */

globalThis.TinyNetNetwork = (tools, at, activations) => {
  "use strict"
  const UPDATES = 1 << 16 // that one call makes; the bits do not depend on it
  const { call, check, labels, learned, numbers, positive, probabilities, table, whole } = tools

  /** A network as kernels take it: `sizes` of its layers, the table `layers`, and all parameters in one array. */
  function flat({ weights, biases, activation = "sigmoid" }, width) {
    check(Object.hasOwn(activations, activation), `there is no activation ${JSON.stringify(activation)}`)
    check(Array.isArray(weights) && weights.length > 0, "weights is not a list of tables, one for each layer")
    check(Array.isArray(biases) && biases.length === weights.length, "biases is not a list with an entry a layer")
    const sizes = [width]
    const parameters = []
    const layers = []
    weights.forEach((layer, k) => {
      const inputs = sizes[k]
      const units = biases[k].length
      check(layer.length === inputs, `weights[${k}] has ${layer.length} rows, and ${inputs} numbers come in`)
      check(units > 0 && layer.every((row) => row.length === units), `weights[${k}] does not fit biases[${k}]`)
      parameters.push(...layer.flatMap((row) => Array.from(row)), ...biases[k])
      layers.push(inputs, units, k < weights.length - 1 ? activations[activation] : at.SIGMOID)
      sizes.push(units)
    })
    check(sizes[sizes.length - 1] === 1, "the last layer has more than one unit")
    const codes = BigInt64Array.from(layers, BigInt)
    return { sizes, activation, parameters: numbers(parameters, "the network"), layers: asLayers(codes) }
  }

  const asLayers = (codes) => ({ data: codes, shape: [codes.length / at.LAYER_COLUMNS, at.LAYER_COLUMNS] })

  /** The same numbers as lists, layer by layer: { weights, biases }. */
  function lists(parameters, sizes) {
    const found = { weights: [], biases: [] }
    let p = 0
    const taken = (count) => Array.from(parameters.subarray(p, (p += count)))
    for (let k = 1; k < sizes.length; k++) {
      found.weights.push(Array.from({ length: sizes[k - 1] }, () => taken(sizes[k])))
      found.biases.push(taken(sizes[k]))
    }
    return found
  }

  /** Room for a row on its way through the layers. */
  function room(sizes) {
    const units = sizes.reduce((total, size) => total + size)
    return { data: new Float64Array(2 * units), shape: [2, units] }
  }

  /** The sums of a network's last units for each row. */
  function networkSums(rows, { sizes, layers, parameters }, out) {
    const sums = { data: out, shape: [rows.shape[0], sizes[sizes.length - 1]] }
    call("network_logits", rows, layers, parameters, room(sizes), sums)
  }

  function predictNetwork(X, network) {
    check(Array.isArray(network.weights) && network.weights.length > 0, "weights is not a list of tables")
    const rows = table(X, undefined, network.weights[0].length)
    const net = flat(network, rows.shape[1])
    return probabilities(rows, (block, out) => networkSums(block, net, out))
  }

  /** What a network's training changes, with functions that run its rows and end a batch early. */
  function training(net, rate, batchSize) {
    const size = net.parameters.length
    const state = { data: new Float64Array(at.STATE_ROWS * size), shape: [at.STATE_ROWS, size] }
    const ofState = (row) => state.data.subarray(row * size, (row + 1) * size)
    const rule = new Float64Array(6)
    const step = new Float64Array(at.SCHEDULE_COLUMNS)
    const pending = new Float64Array(2)
    const units = room(net.sizes)
    const noMask = { data: new Float64Array(0), shape: [1, 0] }
    ofState(at.PARAMETERS).set(net.parameters)
    rule[at.BATCH_SIZE] = batchSize
    rule[at.LOSS] = at.LOG_LOSS
    rule[at.OPTIMIZER] = at.SGD
    step[at.RATE] = rate
    step[at.KEEP] = 1

    function run(X, y, losses) {
      const n = X.shape[0]
      const updates = losses.length * Math.floor(n / batchSize)
      const schedule = { data: new Float64Array(updates * step.length), shape: [updates, step.length] }
      for (let k = 0; k < updates; k++) schedule.data.set(step, k * step.length)
      const ones = new Float64Array(n).fill(1)
      call("network_epochs", X, y, ones, noMask, schedule, rule, net.layers, state, units, pending, losses)
    }

    function endBatch() {
      const weight = pending[at.PENDING_WEIGHT]
      if (weight > 0) call("network_update", weight, step, rule, net.layers, state)
      pending.fill(0)
    }

    const half = units.shape[1]
    const ofUnits = (row) => units.data.subarray(row * half, (row + 1) * half)
    return { run, endBatch, parameters: ofState(at.PARAMETERS), gradient: ofState(at.GRADIENT), ofUnits }
  }

  function trainNetwork({ X, y, learningRate, epochs = 1, batchSize, weights, biases, activation, width }) {
    const rows = table(X, width)
    const n = rows.shape[0]
    const own = labels(y, n)
    const net = flat({ weights, biases, activation }, rows.shape[1])
    const size = Math.min(batchSize === undefined ? n : whole(batchSize, "batchSize"), n)
    const trained = training(net, positive(learningRate, "learningRate"), size)
    const losses = new Float64Array(whole(epochs, "epochs"))
    const together = n % size ? 1 : Math.max(1, Math.floor(UPDATES / (n / size)))
    for (let epoch = 0; epoch < epochs; epoch += together) {
      trained.run(rows, own, losses.subarray(epoch, epoch + together))
      trained.endBatch()
    }
    learned(trained.parameters)
    const result = lists(trained.parameters, net.sizes)
    return { ...result, activation: net.activation, losses: Array.from(losses, (total) => total / n) }
  }

  function networkStep({ X, y, learningRate, weights, biases, activation, width }) {
    const rows = table(X, width)
    const [n, columns] = rows.shape
    const own = labels(y, n)
    const net = flat({ weights, biases, activation }, columns)
    const trained = training(net, positive(learningRate, "learningRate"), n + 1)
    const byLayer = (units) => {
      let first = columns
      return net.sizes.slice(1).map((size) => Array.from(units.subarray(first, (first += size))))
    }
    const total = new Float64Array(1)
    const told = Array.from({ length: n }, (_, i) => {
      const row = { data: rows.data.subarray(i * columns, (i + 1) * columns), shape: [1, columns] }
      const loss = new Float64Array(1)
      trained.run(row, own.subarray(i, i + 1), loss)
      total[0] += loss[0]
      const sums = layerSums(row, net)
      const [outputs, deltas] = [at.VALUES, at.DELTAS].map((part) => byLayer(trained.ofUnits(part)))
      const [[z], [prediction], [error]] = [sums, outputs, deltas].map((layers) => layers[layers.length - 1])
      return { inputs: Array.from(row.data), label: own[i], sums, outputs, deltas, z, prediction, error, loss: loss[0] }
    })
    const gradients = lists(trained.gradient.map((sum) => sum / n), net.sizes)
    trained.endBatch()
    learned(trained.parameters)
    const after = lists(trained.parameters, net.sizes)
    return { rows: told, loss: total[0] / n, gradients, weightsAfter: after.weights, biasesAfter: after.biases }
  }

  /** The sums of all units for one row: those of the last units of the network that ends with their layer. */
  function layerSums(row, net) {
    let used = 0
    return net.sizes.slice(1).map((size, k) => {
      used += (net.sizes[k] + 1) * size
      const layers = asLayers(net.layers.data.subarray(0, (k + 1) * at.LAYER_COLUMNS))
      const out = new Float64Array(size)
      networkSums(row, { sizes: net.sizes.slice(0, k + 2), layers, parameters: net.parameters.subarray(0, used) }, out)
      return Array.from(out)
    })
  }

  return { predictNetwork, trainNetwork, networkStep }
}
