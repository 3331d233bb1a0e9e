// The flame graph of the tasks' stacks, drawn by d3-flame-graph: one sample is
// one task, and only frames that were unwound are in it.
import flamegraph from 'd3-flame-graph'
import { select } from 'd3-selection'
import { timerFlush } from 'd3-timer'
import { h, button, clip, plural, calm, uid } from './dom.js'

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
  let icicle = false

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

  const details = h('p', { class: 'details', role: 'status', id: uid('flame') })
  const chartBox = h('div', { class: 'flame', tabindex: '0', role: 'application', 'aria-roledescription': 'flame graph', 'aria-describedby': details.id,
    'aria-label': `Flame graph of ${plural(usable.length, 'task')}. Arrow keys move between frames, Enter zooms, T lists the tasks of a frame, Home zooms out.` })
  const legendBox = h('div', { class: 'legend buttons', role: 'group', 'aria-label': 'Show only tasks with' })
  const list = button('List the tasks', () => showTasks(current.data.tasks, current.data.name), { class: 'list' })

  let chart
  let current = null
  let zoomed = null
  const root = () => select(chartBox).datum()
  function setCurrent(d, quiet) {
    current = d
    for (const g of chartBox.querySelectorAll('g.frame')) g.toggleAttribute('data-current', g.__data__ === d)
    if (!quiet) details.textContent = say(d)
    list.textContent = `List ${plural(d.data.tasks.length, 'task')}`
  }
  /** Draws at once, where nobody clicked and a movement would tell nothing. */
  function still(draw) {
    chart.transitionDuration(0)
    draw()
    for (let i = 0; i < 3; i++) timerFlush() // start, first tick, end
    chart.transitionDuration(calm() ? 0 : 200)
  }
  function draw() {
    chart?.destroy()
    chartBox.replaceChildren()
    colours = colourOf()
    chart = flamegraph().width(Math.max(200, chartBox.clientWidth || 800)).cellHeight(20)
      .minFrameSize(0.5).inverted(icicle).resetHeightOnZoom(true).sort((a, b) => b.value - a.value || (a.data.name < b.data.name ? -1 : 1))
      .setColorMapper(fill).setLabelHandler(say)
      .setSearchMatch((d, term) => d.data.name.toLowerCase().includes(term.toLowerCase()))
      .setSearchHandler((found, sum, total) => { details.textContent = `${plural(found.length, 'frame')} found, in ${sum} of ${plural(total, 'task')}` })
      .setDetailsHandler(t => { if (t) details.textContent = t })
      .onClick(d => { zoomed = d.parent ? d : null; setCurrent(d); out.disabled = !zoomed })
    still(() => select(chartBox).datum(tree()).call(chart))
    zoomed = null
    out.disabled = true
    setCurrent(root())
    find()
    legendBox.replaceChildren()
    for (const [name, n] of legend[mode].slice(0, 16)) {
      legendBox.append(button([h('span', { class: 'dot', style: { background: colours.get(name) }, 'aria-hidden': 'true' }), `${clip(name, 60)} `, h('span', { class: 'n' }, n)],
        () => { only = only === name ? null : name; draw() }, { 'aria-pressed': only === name ? 'true' : 'false', title: `Show only these tasks${name.length > 60 ? `: ${name}` : ''}` }))
    }
    if (legend[mode].length > 16) legendBox.append(h('span', { class: 'hint' }, `and ${legend[mode].length - 16} more`))
    if (!legend[mode].length) legendBox.append(h('span', { class: 'hint' }, `The report names no ${mode === 'lock' ? 'lock' : 'role'} of a frame.`))
  }
  const search = h('input', { type: 'search', placeholder: 'Search functions', autocomplete: 'off', spellcheck: 'false' })
  function find() {
    const term = search.value.trim()
    if (term) chart.search(term)
    else chart.clear()
  }
  let wait
  search.addEventListener('input', () => { clearTimeout(wait); wait = setTimeout(() => { find(); if (!search.value) setCurrent(current) }, 100) })
  const by = h('select', null, Object.entries(MODES).map(([k, label]) => h('option', { value: k, selected: k === mode }, label)))
  by.addEventListener('change', () => { mode = by.value; only = null; draw() })
  const reset = () => { chart.resetZoom(); setCurrent(root()) }
  const out = button('Zoom out', reset)
  const flip = button('Root on top', () => { icicle = !icicle; flip.setAttribute('aria-pressed', icicle); draw() }, { 'aria-pressed': 'false' })

  const visible = d => !d.data.hide && d.value > 0
  chartBox.addEventListener('keydown', e => {
    const near = step => {
      const row = (current.parent?.children ?? [current]).filter(visible)
      return row[row.indexOf(current) + step]
    }
    const up = icicle ? 'ArrowDown' : 'ArrowUp'
    const down = icicle ? 'ArrowUp' : 'ArrowDown'
    let to
    if (e.key === up) to = current.children?.find(visible)
    else if (e.key === down) to = current.parent
    else if (e.key === 'ArrowLeft') to = near(-1)
    else if (e.key === 'ArrowRight') to = near(1)
    else if (e.key === 'Enter' || e.key === ' ') { chart.zoomTo(current) }
    else if (e.key === 'Home') reset()
    else if (e.key === 't') { showTasks(current.data.tasks, current.data.name) }
    else return
    e.preventDefault()
    if (to) setCurrent(to)
  })

  const el = h('div', null,
    h('div', { class: 'tools' }, h('label', { class: 'field' }, h('span', { class: 'sr' }, 'Search functions'), search),
      h('label', { class: 'field' }, 'Colour by ', by), out, flip),
    legendBox, chartBox, h('div', { class: 'tools' }, details, list),
    h('p', { class: 'note' }, `${plural(usable.length, 'task')} with a stack`,
      inc.tasks.length > usable.length ? ` of ${inc.tasks.length.toLocaleString('en')}` : '', '. A frame is as wide as the tasks in it are many; frames that were only guessed are left out.'))
  el.draw = draw
  let width = 0
  new ResizeObserver(() => {
    const w = chartBox.clientWidth
    if (chart && w && Math.abs(w - width) > 2) { width = w; still(() => chart.width(w).update()) }
  }).observe(chartBox)
  return el
}
