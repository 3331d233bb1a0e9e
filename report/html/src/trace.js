// What the traces show: a lane for each task with its states over time, and in
// tables the totals, the waits for locks, the events, and the stacks by time.
import { scaleLinear } from 'd3-scale'
import { select } from 'd3-selection'
import { zoom, zoomIdentity } from 'd3-zoom'
import { h, s, add, button, clip, plural, lazy, calm, uid } from './dom.js'
import { flameChart } from './flamechart.js'
import { table } from './table.js'

const LANES = 12 // shown at first
const STATES = 14 // with a colour of their own
const TOP = 26
const ROW = 44
const BAND = 24 // what a task does; below it a strip for the scheduler's states
const STRIP = 8

/** A length of time for people, as the other formats write it. */
function length(sec) {
  const a = Math.abs(sec)
  if (a >= 1) return `${sec.toFixed(3)} s`
  if (a >= 1e-3) return `${(sec * 1e3).toFixed(3)} ms`
  if (a >= 1e-6) return `${Number((sec * 1e6).toPrecision(3))} µs`
  return a > 0 ? `${(sec * 1e9).toFixed(0)} ns` : '0 s'
}
/** The words for times of one trace, whose clock may count and have no unit. */
const clock = trace => (trace.counts
  ? { length: n => `${Math.round(n * 1e9).toLocaleString('en')} ticks`, moment: n => Math.round(n * 1e9).toLocaleString('en'), tick: n => Math.round(n * 1e9).toLocaleString('en') }
  : { length, moment: at => `${at.toFixed(6)} s`, tick: (at, digits) => `${at.toFixed(digits)} s` })

const ruler = document.createElement('canvas').getContext('2d')
ruler.font = '12px system-ui, sans-serif'
/** As much of a text as fits. */
function fit(text, room) {
  if (ruler.measureText(text).width <= room) return text
  let n = Math.floor((text.length * room) / ruler.measureText(text).width)
  while (n > 0 && ruler.measureText(`${text.slice(0, n)}…`).width > room) n--
  return n > 2 ? `${text.slice(0, n)}…` : ''
}

/** How deep each span lies in those that hold it, and where the first that it holds hides it; spans are by start. */
function depths(spans) {
  const holders = []
  for (const sp of spans) {
    while (holders.length && holders.at(-1).at + holders.at(-1).s <= sp.at + 1e-9) holders.pop()
    const holder = holders.at(-1)
    if (holder) holder.hidden ??= sp.at
    sp.depth = Math.min(holders.length, 3)
    holders.push(sp)
  }
}

function lanes(trace, states, open) {
  const { length, moment, tick } = clock(trace)
  const tasks = trace.tasks ?? []
  const kind = i => (i < STATES ? `st${i}` : 'st-other')
  const lists = tasks.map(t => {
    const spans = t.spans ?? []
    const does = spans.filter(sp => !states[sp.state].sched)
    depths(does)
    return { does, sched: spans.filter(sp => states[sp.state].sched) }
  })
  const say = (t, sp) => `${t.name}: ${states[sp.state].word} ${sp.length}${sp.what ? `, ${sp.what}` : ''}, from ${moment(sp.at)}`

  let shown = Math.min(tasks.length, LANES)
  let current = null // [lane, span]
  let width = 0
  let left = 0
  let at = zoomIdentity
  const whole = scaleLinear()
  const clipId = uid('lanes')
  const plot = s('g', { 'clip-path': `url(#${clipId})` })
  const axis = s('g', { class: 'axis' })
  const names = s('g', { class: 'lane-names' })
  const frame = s('rect')
  const hatches = [[0, 45], [1, -45], [2, 45]].map(([n, turn]) => s('pattern', { id: `${clipId}-${n}`, width: 7, height: 7, patternUnits: 'userSpaceOnUse', patternTransform: `rotate(${turn})` },
    s('rect', { class: `st${n}`, width: 7, height: 7 }), s('rect', { class: 'line', width: n ? 1.5 : 3, height: 7 })))
  const svg = s('svg', { class: 'lanes', 'aria-hidden': 'true' }, s('defs', null, s('clipPath', { id: clipId }, frame), hatches), axis, plot, names)
  const details = h('p', { class: 'details', role: 'status', id: uid('span') })
  const box = h('div', { class: 'lane-box', tabindex: '0', role: 'application', 'aria-roledescription': 'timeline', 'aria-describedby': details.id,
    'aria-label': `Timeline of ${plural(tasks.length, 'task')} from ${moment(trace.from)} to ${moment(trace.to)}. Left and right go to the span before and after, up and down to another task, Enter tells more, plus and minus zoom, Z zooms to the span, Home shows all.` }, svg)

  function bar(lane, sp, x) {
    const y = TOP + lane * ROW
    const state = states[sp.state]
    const sched = !!state.sched
    const a = Math.max(x(sp.at), left - 4)
    const b = Math.min(x(sp.at + sp.s), width + 4)
    const w = Math.max(b - a, 1)
    const inset = sched ? 0 : sp.depth * 5
    const [top, tall] = sched ? [y + BAND + 4, STRIP] : [y + 2 + inset, BAND - inset]
    const point = sp.s === 0 && !sched
    const shape = point
      ? s('path', { d: `M${a} ${top}l6 ${tall / 2}l-6 ${tall / 2}l-6 ${-tall / 2}z` })
      : s('rect', { x: a, y: top, width: w, height: tall, rx: w > 6 && !sched ? 3 : 0 })
    shape.setAttribute('class', kind(sp.state))
    if (sp.state < hatches.length) shape.style.setProperty('fill', `url(#${clipId}-${sp.state})`)
    const room = (sp.hidden == null ? a + w : Math.min(b, x(sp.hidden))) - a
    const text = point || sched ? '' : fit([state.word, sp.what].filter(Boolean).join(': '), room - 12) || (room > 16 ? state.letter : '')
    const g = s('g', { class: `span${sp.open ? ' open' : ''}` }, s('title', null, say(tasks[lane], sp)), shape,
      text && s('g', { class: 'tag' }, s('rect', { x: a + 3, y: top + tall / 2 - 8, width: Math.min(ruler.measureText(text).width + 6, room - 4), height: 16, rx: 3 }), s('text', { x: a + 6, y: top + tall / 2 + 4 }, text)),
      sp.open && !sched && x(sp.at + sp.s) <= width + 4 && s('path', { class: 'goes-on', d: `M${b - 8} ${top}l6 ${tall / 2}l-6 ${tall / 2}` }))
    g.at = [lane, sp]
    return g
  }
  function draw() {
    if (!width) return
    const x = at.rescaleX(whole)
    const [from, to] = x.domain()
    axis.replaceChildren()
    // The ticks of a short stretch need their microseconds.
    const span = to - from
    const digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(span / 6))))
    const count = Math.max(2, Math.floor((width - left) / 110))
    for (const t of x.ticks(count)) {
      axis.append(s('g', { class: 'tick', transform: `translate(${x(t)},0)` }, s('line', { y1: TOP - 6, y2: TOP + shown * ROW }),
        x(t) - left > 30 && width - x(t) > 34 && s('text', { y: 14 }, tick(t, digits))))
    }
    names.replaceChildren()
    plot.replaceChildren()
    for (let i = 0; i < shown; i++) {
      const y = TOP + i * ROW
      names.append(s('text', { x: left - 8, y: y + 18, class: current?.[0] === i ? 'current' : null }, s('title', null, tasks[i].name), fit(tasks[i].label, left - 12)))
      plot.append(s('line', { class: 'lane', x1: left, x2: width, y1: y + ROW - 3, y2: y + ROW - 3 }))
      for (const list of [lists[i].sched, lists[i].does]) {
        // What is less than a pixel wide is drawn once for each pixel and state.
        const last = new Map()
        for (const sp of list) {
          if (sp.at + sp.s < from || sp.at > to) continue
          const px = Math.floor(x(sp.at))
          if (sp.s > 0 && x(sp.at + sp.s) - x(sp.at) < 1) {
            if (last.get(sp.state) === px) continue
            last.set(sp.state, px)
          }
          plot.append(bar(i, sp, x))
        }
      }
    }
    mark()
    seen.textContent = `${moment(from)} to ${moment(to)} (${length(span)})`
  }
  /** The span that the reader is at has a frame, whatever is drawn above it. */
  function mark() {
    plot.querySelector('.mark')?.remove()
    if (!current) return
    const [lane, sp] = current
    const x = at.rescaleX(whole)
    const sched = !!states[sp.state].sched
    const a = Math.max(x(sp.at) - (sp.s ? 0 : 7), left - 4)
    plot.append(s('rect', { class: 'mark', x: a, y: TOP + lane * ROW + (sched ? BAND + 3 : 1), width: Math.max(3, Math.min(x(sp.at + sp.s) + (sp.s ? 0 : 7), width + 4) - a), height: sched ? STRIP + 2 : BAND + 2 }))
  }
  function go(lane, sp, quiet) {
    current = [lane, sp]
    details.textContent = say(tasks[lane], sp)
    if (!quiet) {
      // Into sight, if it is not.
      const [from, to] = at.rescaleX(whole).domain()
      if (sp.at > to || sp.at + sp.s < from) pan(sp.at - (to - from) / 2, at.k)
    }
    draw()
  }

  const z = zoom().filter(e => (e.type === 'wheel' ? e.ctrlKey || e.metaKey : !e.button))
    .on('zoom', e => { at = e.transform; draw() })
  const view = select(svg).call(z).on('dblclick.zoom', null)
  function pan(to, k) {
    const from = Math.max(trace.from, Math.min(to, trace.to - (trace.to - trace.from) / k))
    view.call(z.transform, zoomIdentity.translate(left, 0).scale(k).translate(-whole(from), 0))
  }
  const home = () => view.call(z.transform, zoomIdentity)
  const by = k => (calm() ? view : view.transition().duration(150)).call(z.scaleBy, k)
  function zoomTo(sp) {
    const finest = trace.counts ? 1e-9 : 1e-6
    const most = (trace.to - trace.from) / finest
    const want = Math.max(sp.s * 1.4, 20 * finest)
    const k = Math.max(1, Math.min(most, (trace.to - trace.from) / want))
    pan(sp.at - ((trace.to - trace.from) / k - sp.s) / 2, k)
  }
  function resize() {
    const w = box.clientWidth
    if (!w || w === width) return
    const [from] = width ? at.rescaleX(whole).domain() : [trace.from]
    width = w
    left = w < 560 ? 96 : 176
    whole.domain([trace.from, trace.to]).range([left, width])
    frame.setAttribute('x', left)
    frame.setAttribute('y', 0)
    frame.setAttribute('width', width - left)
    z.extent([[left, 0], [width, 1]]).translateExtent([[left, 0], [width, 1]]).scaleExtent([1, Math.max(1, (trace.to - trace.from) / (trace.counts ? 1e-9 : 1e-6))])
    tall()
    pan(from, at.k)
  }
  function tall() {
    const height = TOP + shown * ROW + 4
    svg.setAttribute('width', width)
    svg.setAttribute('height', height)
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`)
    frame.setAttribute('height', height)
  }
  new ResizeObserver(resize).observe(box)

  const hit = e => e.target.closest?.('.span')?.at
  svg.addEventListener('pointerover', e => { const a = hit(e); if (a) details.textContent = say(tasks[a[0]], a[1]) })
  svg.addEventListener('click', e => {
    const a = hit(e)
    if (!a || e.defaultPrevented) return
    box.focus({ preventScroll: true })
    go(...a, true)
    tell(...a)
  })
  const tell = (lane, sp) => open(tasks[lane], sp, () => { box.focus({ preventScroll: true }); zoomTo(sp); go(lane, sp, true) })
  const spansOf = lane => tasks[lane].spans ?? []
  box.addEventListener('keydown', e => {
    if (e.ctrlKey || e.metaKey || e.altKey) return
    const [lane, sp] = current ?? [0, null]
    const list = spansOf(lane)
    const step = n => {
      const i = sp ? list.indexOf(sp) + n : 0
      if (list[i]) go(lane, list[i])
    }
    const to = n => {
      for (let i = lane + n; i >= 0 && i < shown; i += n) {
        const near = spansOf(i).reduce((best, x) => (best == null || Math.abs(x.at - (sp?.at ?? 0)) < Math.abs(best.at - (sp?.at ?? 0)) ? x : best), null)
        if (near) return go(i, near)
      }
    }
    const keys = {
      ArrowLeft: () => step(-1), ArrowRight: () => step(1), ArrowUp: () => to(-1), ArrowDown: () => (current ? to(1) : step(0)),
      Enter: () => sp && tell(lane, sp), ' ': () => sp && tell(lane, sp), '+': () => by(2), '=': () => by(2), '-': () => by(0.5), z: () => sp && zoomTo(sp), Home: home,
    }
    if (!keys[e.key]) return
    e.preventDefault()
    keys[e.key]()
  })

  const seen = h('span', { class: 'status' })
  const used = [...new Set(tasks.flatMap(t => (t.spans ?? []).map(sp => sp.state)))].sort((a, b) => a - b)
  const swatch = i => {
    const r = s('rect', { class: kind(i), width: 22, height: 12, rx: 2 })
    if (i < hatches.length) r.style.setProperty('fill', `url(#${clipId}-${i})`)
    return s('svg', { class: 'swatch', width: 22, height: 12, 'aria-hidden': 'true' }, r)
  }
  const more = h('div')
  function moreLanes() {
    more.replaceChildren()
    if (shown < tasks.length) {
      more.append(button(`Show ${plural(Math.min(tasks.length - shown, 4 * LANES), 'more task')} of ${(tasks.length - shown).toLocaleString('en')}`, () => {
        shown = Math.min(tasks.length, shown + 4 * LANES)
        tall()
        draw()
        moreLanes()
        box.focus({ preventScroll: true })
      }))
    }
  }
  moreLanes()
  return h('div', { class: 'timeline-lanes' },
    h('div', { class: 'tools' }, button('+', () => by(2), { 'aria-label': 'Zoom in on the timeline' }), button('−', () => by(0.5), { 'aria-label': 'Zoom out of the timeline' }), button('Fit', home, { 'aria-label': 'Fit: show all of the timeline' }),
      seen, h('span', { class: 'hint' }, 'drag to move, Ctrl and wheel to zoom, click for more')),
    h('ul', { class: 'legend' }, used.map(i => h('li', { class: 'key' }, swatch(i), `${states[i].letter} ${states[i].word}`))),
    box, h('div', { class: 'tools' }, details), more,
    h('p', { class: 'note' }, 'Above what a task does in the kernel, below in the thin strip what the scheduler does with it. A diamond is a moment whose length was not traced, an arrow at the end a span that had not ended when the trace did.'))
}

function totals(trace, states) {
  const { length } = clock(trace)
  const tasks = trace.tasks ?? []
  const used = [...new Set(tasks.flatMap(t => (t.totals ?? []).map(x => x.state)))].sort((a, b) => a - b)
  const of = (t, i) => t.totals?.find(x => x.state === i)
  return table('Time of the tasks by state', [
    { title: 'Task', value: t => t.name },
    ...used.map(i => ({
      title: states[i].word, number: true, down: true, value: t => of(t, i)?.s ?? null,
      cell: t => { const x = of(t, i); return x ? [x.s || !x.count ? length(x.s) : '', x.count > 1 || !x.s ? h('small', null, ` ×${x.count.toLocaleString('en')}`) : ''] : '–' },
    })),
  ], tasks, { noun: 'task' })
}

function waits(trace, log, showLine) {
  const { moment } = clock(trace)
  return table('Waits for locks', [
    { title: 'Task', value: w => w.task }, { title: 'Lock', value: w => w.lock, cell: w => h('code', null, w.lock) },
    { title: 'Mode', value: w => w.flags ?? null }, { title: 'Since', number: true, value: w => w.at ?? null, cell: w => (w.at != null ? moment(w.at) : '–') },
    { title: 'Length', number: true, down: true, value: w => w.s, cell: w => w.length },
    { title: 'End', value: w => w.end, cell: w => (w.open ? h('strong', null, w.end) : w.end) },
    { title: 'Line', value: w => w.ref[1], cell: w => (w.ref[1] > 0 ? button(log.place(w.ref), () => showLine(w.ref, `${w.task} waits for ${w.lock}`), { class: 'link' }) : '–') },
  ], trace.waits, { noun: 'wait' })
}

const VALUES = ['on a CPU', 'off the CPU', 'waiting for locks', 'calls']

/** The flame graph of what was measured; null where nothing was. */
export function measured(samples) {
  if (!samples) return null
  const sums = VALUES.map((_, i) => samples.stacks.reduce((n, x) => n + x.value[i], 0))
  const there = [1, 0, 2, 3].filter(i => sums[i] > 0)
  if (!there.length) return null
  let value = there[0]
  const words = n => (value === 3 ? plural(n, 'call') : length(n / 1e9))
  let colours
  function tree() {
    const root = { name: 'all', value: 0, children: [], index: new Map(), comm: null }
    for (const x of samples.stacks) {
      const v = x.value[value]
      if (!(v > 0)) continue
      let node = root
      node.value += v
      for (const name of [x.comm || '<...>', ...x.stack.map(i => samples.funcs[i]).reverse()]) {
        let next = node.index.get(name)
        if (!next) {
          next = { name, value: 0, children: [], index: new Map(), comm: node === root ? name : node.comm }
          node.index.set(name, next)
          node.children.push(next)
        }
        next.value += v
        node = next
      }
    }
    colours = new Map([...root.children].sort((a, b) => b.value - a.value).map((c, i) => [c.name, i < 8 ? `var(--f${i})` : 'var(--f-other)']))
    return root
  }
  const chart = flameChart({
    label: `Flame graph of ${plural(samples.stacks.length, 'measured stack')}. Arrow keys move between frames, Enter zooms, Home zooms out.`,
    tree, fill: d => (d.highlight ? 'var(--f-hit)' : colours.get(d.data.comm) ?? 'var(--f-none)'),
    say: d => `${d.data.name}: ${words(d.data.value)}, ${((100 * d.data.value) / sums[value]).toFixed(1)} %`,
    found: (n, sum, total) => `${plural(n, 'frame')} found, with ${words(sum)} of ${words(total)}`,
  })
  const by = h('select', null, there.map(i => h('option', { value: i }, `${VALUES[i]} (${i === 3 ? plural(sums[i], 'call') : length(sums[i] / 1e9)})`)))
  by.addEventListener('change', () => { value = +by.value; chart.draw() })
  const el = h('div', null, h('div', { class: 'tools' }, chart.search, h('label', { class: 'field' }, 'Width is ', by), chart.out, chart.flip), chart.box, h('div', { class: 'tools' }, chart.details),
    h('p', { class: 'note' }, 'On a CPU: the time that function_graph measured in a function itself. Off the CPU: from the switch away to the switch back. ', samples.more > 0 && `${plural(samples.more, 'stack')} with less left out.`))
  el.draw = chart.draw
  return el
}

/** The section of the traces; show(title, ...) opens the panel. */
export function traces(data, log, show, stackOf) {
  if (!data.traces?.length) return null
  const showLine = (ref, title) => show(title, h('h3', null, 'In the log'), log.around([ref]))
  const one = trace => {
    const ref = sp => [trace.input, sp.line ?? 0]
    const open = (task, sp, zoomTo) => {
      const facts = [['Task', task.name], ['Memory cgroup', task.memcg], ['State', data.states[sp.state].word], ['From', clock(trace).moment(sp.at)], ['Length', sp.length], [data.states[sp.state].id === 'lock_wait' ? 'Lock' : 'In', sp.what]]
      const stack = stackOf(task)
      show(`${task.name}: ${data.states[sp.state].word}`,
        h('dl', { class: 'facts' }, facts.filter(f => f[1]).map(([k, v]) => h('div', null, h('dt', null, k), h('dd', null, v)))),
        h('div', { class: 'tools' }, button('Zoom to it', zoomTo), stack && button('The task and its stack', stack)),
        ref(sp)[1] > 0 && [h('h3', null, 'In the log'), log.around([ref(sp)])])
    }
    const names = trace.events ?? []
    return h('div', { class: 'trace' },
      data.traces.length > 1 && h('h3', null, h('code', null, clip(trace.name, 80))),
      h('p', null, trace.what.join('; '), '. ', h('span', { class: 'note' }, names.slice(0, 5).map(e => `${e.name} ${e.count.toLocaleString('en')}`).join(', '), names.length > 5 && ` and ${plural(names.length - 5, 'more event name')}`)),
      trace.tasks?.length > 0 && [
        trace.to > trace.from && lanes(trace, data.states, open),
        trace.tasks.some(t => t.steps) && [h('h4', null, 'Through the OOM'), h('ul', { class: 'plain' }, trace.tasks.filter(t => t.steps).slice(0, 50).map(t => h('li', null, h('strong', null, t.name), ': ', t.steps.join(' → '))))],
        trace.tasks.some(t => t.signals) && [h('h4', null, 'Signals'), h('ul', { class: 'plain' }, trace.tasks.flatMap(t => (t.signals ?? []).map(g => [t, g])).slice(0, 50).map(([t, g]) =>
          h('li', null, h('strong', null, t.name), ': ', g.text, ' ', g.line > 0 && button(log.place([trace.input, g.line]), () => showLine([trace.input, g.line], `${t.name}: ${g.text}`), { class: 'link' }))))],
        h('h4', null, 'Time by state'), totals(trace, data.states),
        trace.tasks.some(t => t.more) && h('p', { class: 'note' }, `${plural(trace.tasks.reduce((n, t) => n + (t.more ?? 0), 0), 'shorter span')} left out of the timeline; the totals have them.`)],
      trace.waits?.length > 0 && [h('h4', null, 'Waits for locks'), waits(trace, log, showLine)],
      names.some(e => e.lines) && lazy({ class: 'where' }, `All ${plural(names.length, 'event name')}, with their fields`, () => table('Events', [
        { title: 'Event', value: e => e.name, cell: e => h('code', null, e.name) }, { title: 'Number', value: e => e.count, cell: e => e.count.toLocaleString('en'), number: true, down: true },
        { title: 'Lines', value: e => e.line ?? null, cell: e => (e.line > 0 ? button(e.lines, () => showLine([trace.input, e.line], `${e.name}, ${e.lines}`), { class: 'link' }) : '–') },
        { title: 'Fields', value: e => e.fields ?? null },
      ], names, { noun: 'name' })))
  }
  const most = 3
  const box = h('div', null, data.traces.slice(0, most).map(one))
  if (data.traces.length > most) add(box, data.traces.slice(most, 100).map(t => lazy({ class: 'where' }, `${t.name}: ${t.what[0] ?? ''}`, () => one(t))))
  return box
}
