/* The pages' functions in Node, for `tests/node.py`: `node in_node.js SCRIPT...` loads the scripts, then answers each
 * line of its standard input: [function, [arguments]] in, {result, written} or {error} out. An array with a type is
 * {dtype, shape, bytes}; the arguments that are of this kind are `written` when the function is done with them. */
const { readFileSync } = require("node:fs")
const { createInterface } = require("node:readline")
const { runInThisContext } = require("node:vm")

const TYPES = { float64: Float64Array, int32: Int32Array, int64: BigInt64Array }

function typed(value) {
  if (value === null || typeof value !== "object" || !value.dtype) return value
  const bytes = new Uint8Array(Buffer.from(value.bytes, "base64"))
  return { dtype: value.dtype, data: new TYPES[value.dtype](bytes.buffer), shape: value.shape }
}

function plain(value) {
  if (value instanceof Float64Array) return plain({ dtype: "float64", shape: [value.length], data: value })
  if (value && value.data && value.dtype) {
    const { dtype, shape, data } = value
    return { dtype, shape, bytes: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64") }
  }
  if (value && typeof value === "object" && !Array.isArray(value))
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, plain(part)]))
  return value
}

async function main() {
  for (const path of process.argv.slice(2)) runInThisContext(readFileSync(path, "utf8"), { filename: path })
  const net = await globalThis.TinyNet.ready
  for await (const line of createInterface({ input: process.stdin })) {
    let answer
    try {
      const [name, given] = JSON.parse(line)
      const values = given.map(typed)
      const result = net[name](...values)
      answer = { result: plain(result), written: values.filter((value) => value && value.dtype).map(plain) }
    } catch (error) {
      answer = { error: error.message }
    }
    console.log(JSON.stringify(answer))
  }
}

main()
