// The flame graph of the tasks' stacks: one sample is one task, and only frames
// that were unwound are in it.
import { flameChart } from './flamechart.js'
import { h, button, clip, plural } from './dom.js'

const COLOURS = 8
const MODES = { lock: 'lock', frame: 'what a frame does', role: 'role of the task', state: 'state of the task' }
const NONE = { lock: 'no lock', frame: 'nothing known', role: 'none', state: 'unknown' }

export function flame(inc, showTasks) {
  const tasks = (inc.tasks ?? []).filter(t => t.stack >= 0)
  const frames = inc.frames ?? []
  // Root first, as a flame graph grows. Stacks are shared: cut them once.
  const stacks = (inc.stacks ?? []).map(st => st.map(i => frames[i]).filter(f => !f.guess).reverse())
  const usable = tasks.filter(t => stacks[t.stack].length)
  if (!usable.length) return h('p', { class: 'empty' }, 'No task of this incident has a stack with frames that can be relied on.')

  const traits = {
    lock: t => stacks[t.stack].map(f => f.lock).filter(Boolean),
    frame: t => stacks[t.stack].map(f => f.role).filter(Boolean),
    role: t => [t.role],
    state: t => [t.state ?? NONE.state],
  }
  // By number of tasks, so that the common ones get their own colour.
  const legend = {}
  for (const mode of Object.keys(MODES)) {
    const n = new Map()
    for (const t of usable) for (const x of new Set(traits[mode](t))) n.set(x, (n.get(x) ?? 0) + 1)
    legend[mode] = [...n].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
  }
  let mode = legend.frame.length ? 'frame' : 'role'
  let only = null

  // What a frame does has the colours that it has in the panel.
  const fixed = { waits: 'var(--f0)', holds: 'var(--f1)', charges: 'var(--f4)' }
  const colourOf = () => new Map(legend[mode].map(([name], i) => [name, mode === 'frame' && fixed[name] ? fixed[name] : i < COLOURS ? `var(--f${i})` : 'var(--f-other)']))
  let colours = colourOf()

  function tree() {
    const root = { name: 'all tasks', value: 0, children: [], tasks: [], index: new Map() }
    for (const t of usable) {
      if (only && !traits[mode](t).includes(only)) continue
      let at = root
      at.value++
      at.tasks.push(t)
      for (const f of stacks[t.stack]) {
        const name = f.module ? `${f.func} [${f.module}]` : f.func
        let next = at.index.get(name)
        if (!next) {
          next = { name, value: 0, children: [], tasks: [], index: new Map(), frame: f }
          at.index.set(name, next)
          at.children.push(next)
        }
        if (!next.frame.role && f.role) next.frame = f
        next.value++
        next.tasks.push(t)
        at = next
      }
    }
    return root
  }
  function trait(d) {
    if (!d.data.frame) return null
    if (mode === 'lock') return d.data.frame.lock
    if (mode === 'frame') return d.data.frame.role
    const first = traits[mode](d.data.tasks[0])[0]
    return d.data.tasks.every(t => traits[mode](t)[0] === first) ? first : null
  }
  const fill = d => {
    if (d.highlight) return 'var(--f-hit)'
    if (d.data.colour?.mode !== mode) d.data.colour = { mode, value: colours.get(trait(d)) ?? 'var(--f-none)' }
    return d.data.colour.value
  }
  const say = d => {
    const { role, lock } = d.data.frame ?? {}
    const total = d.data.tasks.length
    return `${d.data.name}: ${plural(total, 'task')}${role ? `, ${role}${lock ? ` ${lock}` : ''}` : ''}`
  }

  const legendBox = h('div', { class: 'legend buttons', role: 'group', 'aria-label': 'Show only tasks with' })
  function legendOf() {
    colours = colourOf()
    legendBox.replaceChildren()
    for (const [name, n] of legend[mode].slice(0, 16)) {
      legendBox.append(button([h('span', { class: 'dot', style: { background: colours.get(name) }, 'aria-hidden': 'true' }), `${clip(name, 60)} `, h('span', { class: 'n' }, n)],
        () => { only = only === name ? null : name; chart.draw() }, { 'aria-pressed': only === name ? 'true' : 'false', title: `Show only these tasks${name.length > 60 ? `: ${name}` : ''}` }))
    }
    if (legend[mode].length > 16) legendBox.append(h('span', { class: 'hint' }, `and ${legend[mode].length - 16} more`))
    if (!legend[mode].length) legendBox.append(h('span', { class: 'hint' }, `The report names no ${mode === 'lock' ? 'lock' : 'role'} of a frame.`))
  }
  const list = button('List the tasks', () => open(chart.current()), { class: 'list' })
  const open = d => showTasks(d.data.tasks, d.data.name)
  const chart = flameChart({
    label: `Flame graph of ${plural(usable.length, 'task')}. Arrow keys move between frames, Enter zooms, T lists the tasks of a frame, Home zooms out.`,
    tree, say, fill, keys: { t: open },
    found: (n, sum, total) => `${plural(n, 'frame')} found, in ${sum} of ${plural(total, 'task')}`,
    onCurrent: d => { list.textContent = `List ${plural(d.data.tasks.length, 'task')}` },
    onDraw: legendOf,
  })
  const by = h('select', null, Object.entries(MODES).map(([k, label]) => h('option', { value: k, selected: k === mode }, label)))
  by.addEventListener('change', () => { mode = by.value; only = null; chart.draw() })

  const el = h('div', null,
    h('div', { class: 'tools' }, chart.search, h('label', { class: 'field' }, 'Colour by ', by), chart.out, chart.flip),
    legendBox, chart.box, h('div', { class: 'tools' }, chart.details, list),
    h('p', { class: 'note' }, `${plural(usable.length, 'task')} with a stack`,
      inc.tasks.length > usable.length ? ` of ${inc.tasks.length.toLocaleString('en')}` : '', '. A frame is as wide as the tasks in it are many; frames that were only guessed are left out.'))
  el.draw = chart.draw
  return el
}
