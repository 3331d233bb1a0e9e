// Writes the licences of the libraries that are in the bundle, by esbuild's
// metafile: what was left out of it needs no mention.
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const meta = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const names = new Set()
for (const output of Object.values(meta.outputs)) {
  for (const [path, { bytesInOutput }] of Object.entries(output.inputs)) {
    const name = path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1]
    if (name && bytesInOutput > 0) names.add(name)
  }
}
// dagre comes bundled with graphlib, its only dependency.
if (names.has('@dagrejs/dagre')) names.add('@dagrejs/graphlib')

const byText = new Map()
for (const name of [...names].sort()) {
  const dir = join(here, 'node_modules', name)
  const { version, license } = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'))
  const file = readdirSync(dir).find(f => /^licen[cs]e/i.test(f))
  if (!file) throw new Error(`${name} has no licence file`)
  const text = readFileSync(join(dir, file), 'utf8').replace(/\r/g, '').trim()
  if (!byText.has(text)) byText.set(text, [])
  byText.get(text).push(`${name} ${version} (${license})`)
}
const all = [...byText.values()].flat().sort()
process.stdout.write(`The page contains these libraries:\n\n${all.map(l => `  ${l}\n`).join('')}`)
for (const [text, list] of byText) process.stdout.write(`\n${'-'.repeat(72)}\n${list.join('\n')}\n\n${text}\n`)
