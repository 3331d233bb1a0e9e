// The lines of the log: where they are, and what stands around them.
import { h, lazy, plural } from './dom.js'

const AROUND = 3

export class Log {
  constructor(inputs, runs) {
    this.inputs = inputs
    this.lines = new Map()
    for (const run of runs ?? []) {
      run.lines.forEach((text, i) => this.lines.set(`${run.input}:${run.first + i}`, text))
    }
  }

  text(ref) {
    return this.lines.get(ref.join(':'))
  }

  place(ref) {
    return `${this.inputs[ref[0]]?.short ?? `input ${ref[0]}`}:${ref[1]}`
  }

  /** The lines around refs, those meant marked. Evidence may bring its own text. */
  around(refs, texts = new Map()) {
    const box = h('div', { class: 'log' })
    const hits = new Set(refs.map(r => r.join(':')))
    const windows = []
    for (const [input, line] of [...refs].sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
      const last = windows.at(-1)
      if (last && last.input === input && line - AROUND <= last.to + 1) last.to = line + AROUND
      else windows.push({ input, from: line - AROUND, to: line + AROUND })
    }
    for (const w of windows) {
      const rows = []
      for (let n = Math.max(1, w.from); n <= w.to; n++) {
        const key = `${w.input}:${n}`
        const text = this.lines.get(key) ?? texts.get(key)
        const hit = hits.has(key)
        if (text == null && !hit) continue
        rows.push(h('div', { class: hit ? 'line hit' : 'line' },
          h('span', { class: 'number' }, hit && h('span', { class: 'sr' }, 'evidence, line '), n),
          h('code', null, text || (hit ? '(the text of this line is not in the report)' : ' '))))
      }
      box.append(h('div', { class: 'lines' }, h('p', { class: 'file' }, this.inputs[w.input]?.name ?? `input ${w.input}`), rows))
    }
    return box
  }

  /** A short list of places that opens to the lines around them. */
  details(refs, label) {
    if (!refs?.length) return null
    const uniq = [...new Map(refs.map(r => [r.join(':'), r])).values()]
    const most = 40
    return lazy({ class: 'where' }, [label ? `${label}: ` : '', uniq.slice(0, 3).map(r => this.place(r)).join(', '), uniq.length > 3 ? ` and ${uniq.length - 3} more` : ''],
      () => [this.around(uniq.slice(0, most)), uniq.length > most && h('p', { class: 'note' }, `${plural(uniq.length - most, 'more line')} not shown`)])
  }
}
