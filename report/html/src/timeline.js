// What happened, in the order of the log: a strip to scale and a list.
import { scaleLinear } from 'd3-scale'
import { h, s, button, clip, plural, words, uid } from './dom.js'

const LANES = ['oom', 'kill', 'reap', 'reap_failed', 'hung_task', 'dump', 'sighting', 'end']
const NAMES = { oom: 'OOM', kill: 'kill', reap: 'reaped', reap_failed: 'reap failed', hung_task: 'hung task', dump: 'task dump', sighting: 'seen', gap: 'gap', end: 'end', oom_kill: 'OOM kill', oom_wait: 'OOM wait' }
export const kindName = k => NAMES[k] ?? words(k)

const seconds = x => `${x.toFixed(x < 100 ? 3 : 1)} s`

function strip(events) {
  const timed = events.filter(e => e.boot_s != null)
  if (timed.length < 2) return null
  const [from, to] = [Math.min(...timed.map(e => e.boot_s)), Math.max(...timed.map(e => e.boot_s))]
  if (to <= from) return null
  // Kinds that this page does not know get a lane as well.
  const kinds = new Set([...LANES, ...timed.map(e => e.kind)])
  const lanes = [...kinds].filter(k => k !== 'gap' && timed.some(e => e.kind === k)).slice(0, 16)
  const W = 1000
  const left = 92
  const row = 24
  const height = lanes.length * row + 34
  const x = scaleLinear([from, to], [left + 10, W - 14])
  const hatch = uid('hatch')
  const gaps = timed.flatMap((e, i) => {
    const next = timed.slice(i + 1).find(n => n.boot_s > e.boot_s)
    return e.kind === 'gap' && next ? [[e.boot_s, next.boot_s, e.text]] : []
  })
  const svg = s('svg', { class: 'strip', viewBox: `0 0 ${W} ${height}`, role: 'img', 'aria-label': `Timeline from ${seconds(from)} to ${seconds(to)} after boot; the list below says the same` },
    s('defs', null, s('pattern', { id: hatch, width: 8, height: 8, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' }, s('rect', { class: 'hatch', width: 3, height: 8 }))),
    gaps.map(([a, b, text]) => s('rect', { class: 'gap', x: x(a), y: 0, width: Math.max(2, x(b) - x(a)), height: lanes.length * row, fill: `url(#${hatch})` }, s('title', null, text))),
    lanes.map((k, i) => [
      s('line', { class: 'lane', x1: left, x2: W, y1: i * row + row / 2, y2: i * row + row / 2 }),
      s('text', { class: 'lane-name', x: left - 8, y: i * row + row / 2 + 4 }, clip(kindName(k), 13))]),
    x.ticks(6).map(t => s('g', { class: 'tick', transform: `translate(${x(t)},0)` },
      s('line', { y1: 0, y2: lanes.length * row }), s('text', { y: lanes.length * row + 18 }, `${t} s`))),
    timed.filter(e => lanes.includes(e.kind)).slice(0, 2000).map(e => s('circle', { class: `event k-${e.kind}`, cx: x(e.boot_s), cy: lanes.indexOf(e.kind) * row + row / 2, r: 6 }, s('title', null, `${seconds(e.boot_s)}: ${e.text}`))))
  // It keeps a size that can be read and scrolls where there is no room.
  return h('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': 'Timeline to scale' }, svg)
}

export function timeline(inc, log, showTask, showLog) {
  const events = inc.timeline ?? []
  if (!events.length) return h('p', { class: 'empty' }, 'The report lists no events of this incident.')
  const first = events.find(e => e.boot_s != null)?.boot_s
  const item = e => h('li', { class: e.kind === 'gap' ? 'gap' : null },
    h('span', { class: 'time' }, e.boot_s != null ? seconds(e.boot_s) : e.wall ?? '–', e.boot_s != null && e.boot_s > first && h('small', null, ` +${seconds(e.boot_s - first)}`)),
    h('span', { class: 'kind' }, h('span', { class: `chip k-${e.kind}` }, clip(kindName(e.kind), 20))),
    h('span', { class: 'what' }, e.text, e.wall && e.boot_s != null && h('small', null, ` ${e.wall}`)),
    h('span', { class: 'links' },
      e.task != null && inc.tasks[e.task] && button('stack', ev => showTask(e.task, ev), { class: 'link', 'aria-label': `Show the stack of ${inc.tasks[e.task].name}` }),
      e.ref[1] > 0 && button(log.place(e.ref), () => showLog(e), { class: 'link' })))
  const ol = h('ol', { class: 'events' })
  const box = h('div', null, strip(events), ol)
  const most = 30
  if (events.length <= most + 10) {
    ol.append(...events.map(item))
  } else {
    ol.append(...events.slice(0, most / 2).map(item))
    const hidden = events.slice(most / 2, -most / 2)
    const more = h('li', { class: 'more' }, button(`Show ${plural(hidden.length, 'more event')}`, () => {
      const rows = hidden.slice(0, 2000).map(item)
      rows[0].tabIndex = -1
      more.replaceWith(...rows)
      rows[0].focus()
    }))
    ol.append(more, ...events.slice(-most / 2).map(item))
  }
  return box
}
