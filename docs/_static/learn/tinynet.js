/*
 * TinyNet: the package's kernels, run in the page.
 *
 * The kernels are those of engine="portable". `python native/wasm.py` compiles them to WebAssembly and writes
 * kernels.js, which lies beside this file. So weights, losses and predictions here have the bits that Python gives.
 * This file checks what it is given and moves arrays. Its own arithmetic is IEEE's, one rounded step for a number: sums
 * divided by the number of rows, and a rate times an error.
 *
 *     const net = await TinyNet.ready
 *     const { weights, bias, losses } = net.trainNeuron({ X: [1, 2, 3, 4], y: [0, 0, 1, 1], learningRate: 0.1 })
 *
 * Words used below:
 *
 *   Rows     what `X` may be: an array of rows (number[][]), or a flat number[] or Float64Array. A flat one is read row
 *            by row, `width` numbers a row; without `width`, one number a row.
 *   Labels   what `y` may be: a number[] or typed array of 0 (fail) and 1 (pass), one a row.
 *   Network  { weights, biases, activation }: as Python's `MLP` has them. weights[k][j][u] leads from input j of layer
 *            k to its unit u, and biases[k][u] is that unit's bias. The last layer has one unit, a sigmoid.
 *            `activation` is that of the hidden layers: "sigmoid" (if it is left out), "tanh", "relu", "leaky_relu",
 *            "silu" or "identity".
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
 *       -> { weights, biases, activation, losses: number[] }; losses: the mean cross-entropy of each epoch. The result
 *       can be passed on: trainNetwork({ X, y, learningRate, ...result })
 *   networkStep({ X, y, learningRate, weights, biases, activation, width })
 *       -> one step of one batch, number by number, named as `tinynet-fast trace --network --json` names it:
 *       { rows: [{ inputs, label, sums, outputs, deltas, z, prediction, error, loss }], loss,
 *         gradients: { weights, biases }, weightsAfter, biasesAfter }
 *       sums[k][u], outputs[k][u] and deltas[k][u] are of unit u of layer k: its sum, what it sends on, and the loss's
 *       derivative by its sum (the blame)
 *   passFailRows(n, seed = 0)                        -> { X: Float64Array, y: Float64Array, width: 2 }: made-up
 *       students. Hours of study and of sleep, each less an average. It is whole-number arithmetic alone, so that
 *       Python makes the same rows
 *
 *   call(kernel, ...arguments)                       -> number: one of the kernels themselves, by its name in
 *       tinynet_fast/kernels/portable.py. An array is a typed array or { data, shape }; the kernel writes into it
 *
 * Apart from that, what is passed in is never changed. Python's first weights of a network come from NumPy's generator,
 * and the page has none: pass the numbers that Python printed.
 */

globalThis.TinyNet = (() => {
  "use strict"
  const PARTS = ["kernels.js", "neuron.js", "network.js"] // they lie beside this file
  const BLOCK = 8192 // rows that are copied into the kernels' memory at a time; the bits do not depend on it
  const LINE = 64 // bytes: where arrays begin in memory
  const here = typeof document === "undefined" ? null : document.currentScript

  // --- checks -------------------------------------------------------------------------------------------------------

  function check(holds, message) {
    if (!holds) throw new Error(message)
  }

  // Loops, because `findIndex` took longer for a million rows than training on them.
  function finite(array, name) {
    for (let i = 0; i < array.length; i++)
      if (!Number.isFinite(array[i])) throw new Error(`${name} has a number that is not finite, at place ${i}`)
    return array
  }

  function numbers(values, name) {
    check(Array.isArray(values) || ArrayBuffer.isView(values), `${name} is not an array of numbers`)
    return Float64Array.from(finite(values, name)) // `from` would make a 0 of null
  }

  function number(value, name) {
    check(Number.isFinite(value), `${name} is ${value}: pass a finite number`)
    return value
  }

  function positive(value, name) {
    check(Number.isFinite(value) && value > 0, `${name} is ${value}: pass a number above 0`)
    return value
  }

  function whole(value, name) {
    check(Number.isInteger(value) && value >= 1, `${name} is ${value}: pass a whole number, 1 or more`)
    return value
  }

  /** Rows as a table: { data, shape: [rows, width] }. Flat rows have the `usual` width if none is given. */
  function table(X, width, usual = 1) {
    check(Array.isArray(X) || X instanceof Float64Array, "X is neither an array of rows nor a Float64Array")
    check(X.length > 0, "X has no rows")
    if (Array.isArray(X) && (Array.isArray(X[0]) || ArrayBuffer.isView(X[0]))) {
      const columns = X[0].length
      const odd = X.findIndex((row) => !row || row.length !== columns)
      check(columns > 0, "the rows of X are empty")
      check(odd < 0, `X[${odd}] does not have ${columns} numbers, as X[0] has`)
      check(width === undefined || width === columns, `the rows of X have ${columns} numbers, and not ${width}`)
      return { data: numbers(X.flatMap((row) => Array.from(row)), "X"), shape: [X.length, columns] }
    }
    const columns = whole(width === undefined ? usual : width, "width")
    check(X.length % columns === 0, `X has ${X.length} numbers: these are no rows of ${columns}`)
    const data = X instanceof Float64Array ? finite(X, "X") : numbers(X, "X")
    return { data, shape: [X.length / columns, columns] }
  }

  function labels(y, rows) {
    const found = y instanceof Float64Array ? y : numbers(y, "y")
    check(found.length === rows, `y has ${found.length} labels for ${rows} rows`)
    // One comparison: of two, the CPU guesses one wrong for half of the rows, which takes 7 ms for a million.
    for (let i = 0; i < rows; i++)
      if (found[i] * (found[i] - 1) !== 0) throw new Error(`y[${i}] is ${found[i]}: a label is 0 or 1`)
    return found
  }

  function neuronWeights(weights, width) {
    const found = weights === undefined ? new Float64Array(width) : numbers(weights, "weights")
    check(found.length === width, `there are ${found.length} weights for rows of ${width} numbers`)
    return found
  }

  function learned(...arrays) {
    const fine = arrays.every((array) => array.every(Number.isFinite))
    check(fine, "the weights overflow at this learning rate: lower it, or make the inputs smaller")
  }

  // --- the kernels --------------------------------------------------------------------------------------------------

  /** A function that calls a kernel by its name. Arrays are copied to its memory, and back if it writes to them. */
  function caller(exports, signatures) {
    const { memory, __heap_base: base } = exports
    const align = (at) => Math.ceil(at / LINE) * LINE

    return (name, ...given) => {
      const words = signatures[name].split(" ")
      const arrays = given.map((value) => (typeof value === "number" ? null : value.data || value))
      const places = []
      let end = align(base.value)
      for (const array of arrays) {
        places.push(end)
        end = align(end + (array ? array.byteLength : 0))
      }
      const missing = end - memory.buffer.byteLength
      if (missing > 0) memory.grow(Math.ceil(missing / 65536))
      const there = arrays.map((a, i) => a && new a.constructor(memory.buffer, places[i], a.length))
      const plain = given.flatMap((value, i) => {
        if (!arrays[i]) return [value]
        there[i].set(arrays[i])
        return [places[i], ...(value.shape || [value.length])]
      })
      const result = exports[name](...plain)
      words.forEach((word, i) => word.includes("w") && arrays[i].set(there[i]))
      return result
    }
  }

  /** `use(first, rows)` for each block of a table's rows. */
  function eachBlock({ data, shape: [n, width] }, use) {
    for (let first = 0; first < n; first += BLOCK) {
      const last = Math.min(first + BLOCK, n)
      use(first, last, { data: data.subarray(first * width, last * width), shape: [last - first, width] })
    }
  }

  /** The sums of rows through the last activation, a sigmoid. */
  function probabilities(call, sigmoid, X, sums) {
    const found = new Float64Array(X.shape[0])
    eachBlock(X, (first, last, rows) => {
      const out = found.subarray(first, last)
      sums(rows, out)
      call("probabilities", { data: out, shape: [out.length, 1] }, sigmoid)
    })
    return found
  }

  // --- rows ---------------------------------------------------------------------------------------------------------

  /** 32 bits for a number, each of which depends on every bit of it: lowbias32, Chris Wellons, 2018. */
  function mixed(x) {
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d)
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b)
    return (x ^ (x >>> 16)) >>> 0
  }

  function passFailRows(n, seed = 0) {
    whole(n, "n")
    check(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32, `seed is ${seed}: pass a whole number from 0`)
    const X = new Float64Array(2 * n)
    const y = new Float64Array(n)
    const start = mixed(seed)
    for (let i = 0; i < n; i++) {
      const bits = mixed(start + 2 * i)
      const luck = mixed(start + 2 * i + 1)
      const study = (bits >>> 19) - 4096 // 13 bits: 1/1024 of an hour, from -4 to 4 hours
      const sleep = ((bits >>> 6) & 8191) - 4096 // 1/2048 of an hour, from -2 to 2 hours
      X[2 * i] = study / 1024
      X[2 * i + 1] = sleep / 2048
      y[i] = 4 * study + sleep + (luck >>> 18) + ((luck >>> 4) & 16383) > 16384 ? 1 : 0
    }
    return { X, y, width: 2 }
  }

  // --- loading ------------------------------------------------------------------------------------------------------

  function read(name) {
    return new Promise((resolve, reject) => {
      const script = document.createElement("script")
      script.src = new URL(name, here.src).href
      script.onload = resolve
      script.onerror = () => reject(new Error(`this part of the page cannot be read: ${script.src}`))
      document.head.append(script)
    })
  }

  async function load() {
    if (here) await Promise.all(PARTS.map(read))
    const kernels = globalThis.TinyNetKernels
    const bytes = Uint8Array.from(atob(kernels.module), (letter) => letter.charCodeAt(0))
    const { instance } = await WebAssembly.instantiate(bytes, {})
    const call = caller(instance.exports, kernels.signatures)
    const at = kernels.numbers
    const checks = { check, labels, learned, neuronWeights, number, numbers, positive, table, whole }
    const tools = { ...checks, BLOCK, call, eachBlock, probabilities: probabilities.bind(null, call, at.SIGMOID) }
    const { TinyNetNeuron: neuron, TinyNetNetwork: network } = globalThis
    return { ...neuron(tools, at), ...network(tools, at, kernels.activations), passFailRows, call }
  }

  let ready = null
  return {
    /** A promise of the functions. The kernels are loaded when it is first asked for. */
    get ready() {
      return (ready = ready || load())
    },
  }
})()
