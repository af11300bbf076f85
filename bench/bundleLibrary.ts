// Bundles the library of a built tree into one module, so that several of them can be loaded side by side.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, type Plugin } from 'esbuild'

/** Added to one system of the bundle: code that runs around it. */
export interface Injection {
  system: string
  /** JavaScript, the body of an async function in which `system()` does what the system does with its `link`. */
  body: string
}

const REQUIRE = "import{createRequire}from'node:module';const require=createRequire(import.meta.url);"

/** `root` is a tree in which `npm run build` has run. Writes an ES module that exports what src/node.ts does. */
export async function bundleLibrary(
  root: string,
  outfile: string,
  injection: Injection | null = null,
): Promise<string> {
  await build({
    entryPoints: [join(root, 'build/src/node.js')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    banner: { js: REQUIRE },
    logLevel: 'error',
    plugins: injection === null ? [] : [injecting(injection)],
  })
  return outfile
}

/** Renames the system's function and puts one of the old name around it. */
function injecting({ system, body }: Injection): Plugin {
  const filter = new RegExp(`[/\\\\]systems[/\\\\]${system}\\.js$`)
  const head = new RegExp(`^export (async )?function ${system}\\(`, 'm')
  return {
    name: 'inject',
    setup({ onLoad }) {
      onLoad({ filter }, ({ path }) => {
        const source = readFileSync(path, 'utf8')
        if (!head.test(source)) throw new Error(`${path}: expected an exported function ${system}`)
        const inner = source.replace(head, (_, mark = '') => `${mark}function ${system}Inside(`)
        const around = `export async function ${system}(...given) {
  const link = given[0]
  const system = () => ${system}Inside(...given)
${body}
}`
        return { contents: `${inner}\n${around}`, loader: 'js' }
      })
    },
  }
}
