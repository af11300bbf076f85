// Counts the bytes of every buffer that is made in this process from now on, by putting counting constructors in place of the
// platform's. Slows construction down: for counting only, never while timing.

interface Sized {
  byteLength: number
}
type Maker = (new (...args: unknown[]) => Sized) & { prototype: Record<string, unknown> }

/** Returns a function that tells the bytes made so far. */
export function countAllocations(): () => number {
  let made = 0
  const world = globalThis as unknown as Record<string, Maker>
  const count = <T extends Sized>(value: T) => {
    made += value.byteLength
    return value
  }
  for (const name of ['ArrayBuffer', 'SharedArrayBuffer']) world[name] = counting(world[name], () => true, count)
  for (const name of ARRAYS) {
    const { prototype } = world[name]
    world[name] = counting(world[name], ([source]) => !isBuffer(source), count)
    for (const method of ['slice', 'map', 'filter', 'toSorted']) {
      const original = prototype[method] as (...args: unknown[]) => Sized
      // These make an array of the same type, which goes past its constructor.
      prototype[method] = function (this: unknown, ...args: unknown[]) {
        return count(original.apply(this, args))
      }
    }
  }
  return () => made
}

function counting(maker: Maker, isNew: (args: unknown[]) => boolean, count: (value: Sized) => Sized): Maker {
  const proxy: Maker = new Proxy(maker, {
    construct(target, args, via) {
      const value = Reflect.construct(target, args, via === proxy ? target : via) as Sized
      return isNew(args) ? count(value) : value
    },
  })
  return proxy
}

const ARRAYS = [
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
]

function isBuffer(value: unknown): boolean {
  const tag = Object.prototype.toString.call(value)
  return tag === '[object ArrayBuffer]' || tag === '[object SharedArrayBuffer]'
}
