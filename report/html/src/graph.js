// The wait-for graph: dagre finds the places, this draws them.
import * as dagre from '@dagrejs/dagre'
import { select } from 'd3-selection'
import { zoom, zoomIdentity } from 'd3-zoom'
import { line, curveBasis } from 'd3-shape'
import { h, s, button, clip, plural, uid, calm } from './dom.js'
import { foldGraph } from './fold.js'

const SHAPES = {
  task: (w, ht) => s('rect', { x: -w / 2, y: -ht / 2, width: w, height: ht, rx: 8 }),
  // A box with its corners cut: a thing that one has and the others want.
  lock: (w, ht) => s('polygon', { points: [[-w / 2 + 12, -ht / 2], [w / 2 - 12, -ht / 2], [w / 2, 0], [w / 2 - 12, ht / 2], [-w / 2 + 12, ht / 2], [-w / 2, 0]].join(' ') }),
  resource: (w, ht) => s('rect', { x: -w / 2, y: -ht / 2, width: w, height: ht, rx: ht / 2 }),
}
const PAD = { task: 14, lock: 24, resource: 24 }

const ruler = document.createElement('canvas').getContext('2d')
function width(text, font) {
  ruler.font = font
  return ruler.measureText(text).width
}
const NAME = '600 14px system-ui, sans-serif'
const SUB = '12px system-ui, sans-serif'

function words(inc, v) {
  const n = v.node
  const t = inc.tasks?.[n.task]
  if (v.members.length > 1) {
    const names = new Set(v.members.map(m => inc.tasks[inc.nodes[m].task]?.name.replace(/ \(pid \d+\)$/, '')))
    const first = names.size === 1 ? [...names][0] : null
    return [plural(v.members.length, 'task'), [first, t?.role, t?.state].filter(Boolean).join(' · ')]
  }
  if (t) return [t.name, [t.role === 'bystander' ? null : t.role.replaceAll('_', ' '), t.state, t.in && `${t.in}()`].filter(Boolean).join(' · ')]
  return [n.name, [n.kind, n.class, n.address].filter(Boolean).join(' · ')]
}

function layout(inc, g, rankdir) {
  const d = new dagre.Graph({ multigraph: true })
  d.setGraph({ rankdir, nodesep: 28, ranksep: 46, edgesep: 16, marginx: 12, marginy: 12 })
  g.vertices.forEach((v, i) => {
    const [name, sub] = words(inc, v)
    v.name = clip(name, 38)
    v.sub = clip(sub, 46)
    v.full = v.name !== name || v.sub !== sub ? `${name}, ${sub}` : null
    v.w = Math.ceil(Math.max(width(v.name, NAME), width(v.sub, SUB))) + 2 * (PAD[v.node.kind] ?? 14)
    v.h = v.sub ? 48 : 34
    d.setNode(String(i), { width: v.w, height: v.h })
  })
  const labelled = g.links.length <= 60
  g.links.forEach((l, i) => {
    const label = labelled || l.cycle ? clip(l.edges.length > 1 ? l.first.many : l.first.relation, 34) : ''
    l.label = label
    l.lw = label ? Math.ceil(width(label, SUB)) + 10 : 0
    d.setEdge(String(l.from), String(l.to), { width: l.lw, height: label ? 18 : 0, labelpos: 'c', weight: l.cycle ? 4 : 1 }, String(i))
  })
  dagre.layout(d)
  const box = d.graph()
  return {
    rankdir, width: box.width, height: box.height,
    nodes: g.vertices.map((_, i) => d.node(String(i))),
    edges: g.links.map((l, i) => d.edge({ v: String(l.from), w: String(l.to), name: String(i) })),
  }
}

const curve = line().x(p => p.x).y(p => p.y).curve(curveBasis)

/** show(kind, index) opens the panel; nothing is drawn where nobody waits. */
export function waitGraph(inc, show) {
  if (!inc.nodes?.length) return h('p', { class: 'empty' }, 'Nothing in this incident is seen to wait for anything.')
  const root = h('div', { class: 'graph' })
  let fold = true
  const draw = () => {
    root.replaceChildren()
    const g = foldGraph(inc, fold)
    // Whichever way shows it larger; big graphs are laid out once.
    const room = Math.max(280, root.clientWidth || 900)
    const scale = l => Math.min(1, room / l.width, 640 / l.height)
    let l = layout(inc, g, 'TB')
    if (g.vertices.length <= 60 && scale(l) < 1) {
      const wide = layout(inc, g, 'LR')
      if (scale(wide) > scale(l)) l = wide
      else l = layout(inc, g, 'TB')
    }
    root.append(picture(inc, g, l, room, show))
    const notes = []
    if (g.left) notes.push(`${plural(g.left, 'node')} with few edges left out; the task table has all tasks.`)
    if (g.coarse) notes.push('Tasks that wait for the same are one box, whatever their stacks.')
    else if (g.folded) notes.push('Tasks with equal stack, state and role are one box.')
    if (notes.length) root.append(h('p', { class: 'note' }, notes.join(' ')))
    if (g.foldable && inc.nodes.length <= 300) {
      const box = h('input', { type: 'checkbox', checked: fold })
      box.addEventListener('change', () => { fold = box.checked; draw(); root.querySelector('input').focus() })
      root.append(h('label', { class: 'check' }, box, ' Fold equal tasks'))
    }
  }
  // It needs its width, which it has only on the page.
  root.draw = draw
  return root
}

function picture(inc, g, l, room, show) {
  const mark = uid('arrow')
  const arrows = ['plain', 'cycle', 'ended'].map(k => s('marker', {
    id: `${mark}-${k}`, viewBox: '0 0 10 10', refX: 9, refY: 5, markerWidth: k === 'cycle' ? 13 : 10, markerHeight: k === 'cycle' ? 13 : 10, orient: 'auto-start-reverse', class: `head ${k}`, markerUnits: 'userSpaceOnUse',
  }, s('path', { d: 'M0 0 10 5 0 10z' })))
  const stage = s('g', { class: 'stage' })

  const edges = g.links.map((link, i) => {
    const at = l.edges[i]
    const kind = link.cycle ? 'cycle' : link.first.ended ? 'ended' : 'plain'
    const d = curve(at.points)
    const from = g.vertices[link.from]
    const to = g.vertices[link.to]
    const verb = link.edges.length > 1 ? link.first.many : link.first.relation
    const label = `${from.name} ${clip(verb, 34)} ${to.name}: ${link.first.basis}${link.first.ended ? ', ended' : ''}${link.cycle ? ', part of the cycle' : ''}`
    return target(s('g', { class: `edge ${kind} ${link.first.said ? 'said' : 'inferred'}`, 'data-edge': link.edges[0] },
      s('path', { class: 'reach', d }),
      s('path', { class: 'wire', d, 'marker-end': `url(#${mark}-${kind})` }),
      link.label && s('g', { class: 'label', transform: `translate(${at.x},${at.y})` },
        s('rect', { x: -link.lw / 2, y: -9, width: link.lw, height: 18, rx: 4 }),
        s('text', { dy: '.35em' }, link.label))), label, () => show('edges', link.edges))
  })
  const nodes = g.vertices.map((v, i) => {
    const at = l.nodes[i]
    const kind = SHAPES[v.node.kind] ? v.node.kind : 'resource'
    const shape = SHAPES[kind](v.w, v.h)
    const t = inc.tasks?.[v.node.task]
    const el = s('g', {
      class: `node ${kind}${v.cycle ? ' cycle' : ''}${t ? ` role-${t.role}` : ''}`, transform: `translate(${at.x},${at.y})`, 'data-node': v.members[0],
    }, v.full && s('title', null, v.full),
    v.members.length > 1 && [s('g', { class: 'pile', transform: 'translate(6,6)' }, shape.cloneNode()), s('g', { class: 'pile', transform: 'translate(3,3)' }, shape.cloneNode())],
    shape,
    s('text', { class: 'name', y: v.sub ? -5 : 4 }, v.name), ' ', // nothing on screen, a word boundary to a reader
    v.sub && s('text', { class: 'sub', y: 14 }, v.sub))
    return target(el, `${v.name} ${v.sub}${v.cycle ? ', part of the cycle' : ''}`, () => show('nodes', v.members))
  })
  stage.append(...edges, ...nodes)

  const fit = Math.min(1, room / l.width)
  // Not smaller than can be read: beyond that it is moved and zoomed.
  const scale = Math.max(fit, 0.45)
  const height = Math.min(Math.max(l.height * scale, 120), 640)
  const svg = s('svg', {
    class: 'waits', width: '100%', height, role: 'group',
    'aria-label': `Wait-for graph: ${plural(inc.nodes.length, 'node')}, ${plural(inc.edges?.length ?? 0, 'edge')}, ${plural(inc.cycles?.length ?? 0, 'cycle')}. Tab goes through them, Enter opens one.`,
  }, s('defs', null, arrows), stage)

  const z = zoom().scaleExtent([0.1, 4]).extent(() => [[0, 0], [svg.clientWidth || room, height]])
    // A plain wheel scrolls the page, as the reader meant it to.
    .filter(e => (e.type === 'wheel' ? e.ctrlKey || e.metaKey : !e.button))
    .on('zoom', e => stage.setAttribute('transform', e.transform))
  const view = select(svg)
  view.call(z).on('dblclick.zoom', null)
  const home = () => {
    const w = svg.clientWidth || room
    const k = Math.max(Math.min(1, w / l.width), 0.45)
    // Too large a graph starts at its cycle.
    const hub = l.nodes[Math.max(0, g.vertices.findIndex(v => v.cycle))]
    const x = l.width * k <= w ? (w - l.width * k) / 2 : Math.min(0, Math.max(w - l.width * k, w / 2 - hub.x * k))
    const y = l.height * k <= height ? (height - l.height * k) / 2 : Math.min(0, Math.max(height - l.height * k, height / 2 - hub.y * k))
    view.call(z.transform, zoomIdentity.translate(x, y).scale(k))
  }
  // Again whenever there is more or less room, until the reader moves it.
  let moved = false
  z.on('zoom.moved', e => { moved ||= !!e.sourceEvent })
  let seen = 0
  new ResizeObserver(() => {
    if (svg.clientWidth && svg.clientWidth !== seen && !moved) { seen = svg.clientWidth; home() }
  }).observe(svg)
  home()
  svg.onpaper = on => {
    if (on) {
      svg.setAttribute('viewBox', `0 0 ${l.width} ${l.height}`)
      stage.removeAttribute('transform')
    } else {
      svg.removeAttribute('viewBox')
      home()
    }
  }
  // Focus moves to a node that may be out of sight.
  svg.addEventListener('focusin', e => {
    const box = e.target.getBoundingClientRect()
    const frame = svg.getBoundingClientRect()
    const dx = box.left < frame.left ? frame.left - box.left + 8 : box.right > frame.right ? frame.right - box.right - 8 : 0
    const dy = box.top < frame.top ? frame.top - box.top + 8 : box.bottom > frame.bottom ? frame.bottom - box.bottom - 8 : 0
    if ((dx || dy) && e.target.matches(':focus-visible')) {
      const t = svg.__zoom
      view.call(z.translateBy, dx / t.k, dy / t.k)
    }
  })
  const step = k => () => { moved = true; (calm() ? view : view.transition()).call(z.scaleBy, k) }
  return h('figure', null,
    h('div', { class: 'tools' },
      button('+', step(1.3), { 'aria-label': 'Zoom in' }), button('−', step(1 / 1.3), { 'aria-label': 'Zoom out' }), button('Fit', () => { moved = false; home() }),
      h('span', { class: 'hint' }, 'drag to move, Ctrl and wheel to zoom')),
    svg,
    h('figcaption', { class: 'legend' },
      key('cycle-key', 'the cycle', !!inc.cycles?.length), key('said-key', 'the kernel said so'), key('inferred-key', 'inferred'),
      key('ended-key', 'ended', !!inc.edges?.some(e => e.ended)),
      h('span', { class: 'key' }, swatch('task'), 'task'), h('span', { class: 'key' }, swatch('lock'), 'lock'), h('span', { class: 'key' }, swatch('resource'), 'resource')))
}

const key = (cls, text, shown = true) => shown && h('span', { class: 'key' }, s('svg', { class: `swatch ${cls}`, width: 30, height: 12, 'aria-hidden': 'true' }, s('path', { d: 'M1 6H29' })), text)
const swatch = kind => s('svg', { width: 28, height: 14, class: 'swatch', 'aria-hidden': 'true', viewBox: '-14 -7 28 14' }, s('g', { class: `node ${kind}` }, kind === 'lock' ? s('polygon', { points: '-8,-6 8,-6 13,0 8,6 -8,6 -13,0' }) : kind === 'task' ? s('rect', { x: -13, y: -6, width: 26, height: 12, rx: 3 }) : SHAPES[kind](26, 12)))

function target(el, label, open) {
  el.setAttribute('tabindex', '0')
  el.setAttribute('role', 'button')
  el.setAttribute('aria-label', label)
  el.addEventListener('click', e => { if (!e.defaultPrevented) { el.focus({ preventScroll: true }); open() } })
  el.addEventListener('keydown', e => {
    if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); open() }
  })
  return el
}
