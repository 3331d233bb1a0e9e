// A flame graph as d3-flame-graph draws it, with what every one of the page has
// around it: search, zoom, root on top or below, arrow keys, redrawn to fit.
import flamegraph from 'd3-flame-graph'
import { select } from 'd3-selection'
import { timerFlush } from 'd3-timer'
import { h, button, calm, uid } from './dom.js'

/**
 * tree() gives {name, value, children}, say(node) its words, fill(node) its
 * colour, found(n, sum, total) the words for what a search found. keys maps
 * keys to what they do with the current node.
 */
export function flameChart({ label, tree, say, fill, found, keys = {}, onCurrent, onDraw }) {
  const details = h('p', { class: 'details', role: 'status', id: uid('flame') })
  const box = h('div', { class: 'flame', tabindex: '0', role: 'application', 'aria-roledescription': 'flame graph', 'aria-describedby': details.id, 'aria-label': label })
  let chart
  let current = null
  let icicle = false
  const root = () => select(box).datum()
  function setCurrent(d, quiet) {
    current = d
    for (const g of box.querySelectorAll('g.frame')) g.toggleAttribute('data-current', g.__data__ === d)
    if (!quiet) details.textContent = say(d)
    onCurrent?.(d)
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
    box.replaceChildren()
    chart = flamegraph().width(Math.max(200, box.clientWidth || 800)).cellHeight(20)
      .minFrameSize(0.5).inverted(icicle).resetHeightOnZoom(true).sort((a, b) => b.value - a.value || (a.data.name < b.data.name ? -1 : 1))
      .setColorMapper(fill).setLabelHandler(say)
      .setSearchMatch((d, term) => d.data.name.toLowerCase().includes(term.toLowerCase()))
      .setSearchHandler((hits, sum, total) => { details.textContent = found(hits.length, sum, total) })
      .setDetailsHandler(t => { if (t) details.textContent = t })
      .onClick(d => { setCurrent(d); out.disabled = !d.parent })
    onDraw?.()
    still(() => select(box).datum(tree()).call(chart))
    out.disabled = true
    setCurrent(root())
    find()
  }
  const search = h('input', { type: 'search', placeholder: 'Search functions', autocomplete: 'off', spellcheck: 'false' })
  function find() {
    const term = search.value.trim()
    if (term) chart.search(term)
    else chart.clear()
  }
  let wait
  search.addEventListener('input', () => { clearTimeout(wait); wait = setTimeout(() => { find(); if (!search.value) setCurrent(current) }, 100) })
  const reset = () => { chart.resetZoom(); setCurrent(root()) }
  const out = button('Zoom out', reset)
  const flip = button('Root on top', () => { icicle = !icicle; flip.setAttribute('aria-pressed', icicle); draw() }, { 'aria-pressed': 'false' })

  const visible = d => !d.data.hide && d.value > 0
  box.addEventListener('keydown', e => {
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
    else if (keys[e.key]) keys[e.key](current)
    else return
    e.preventDefault()
    if (to) setCurrent(to)
  })
  let width = 0
  new ResizeObserver(() => {
    const w = box.clientWidth
    if (chart && w && Math.abs(w - width) > 2) { width = w; still(() => chart.width(w).update()) }
  }).observe(box)
  return { box, details, search: h('label', { class: 'field' }, h('span', { class: 'sr' }, 'Search functions'), search), out, flip, draw, current: () => current }
}
