// Tables that sort by a click on their heading, filter, and show a page at a
// time: ten thousand rows at once are of use to nobody.
import { h, add, button, plural, uid } from './dom.js'

const PAGE = 50
const compare = new Intl.Collator('en', { numeric: true }).compare

/**
 * columns: {title, value(row) for sorting and filtering, cell(row) for showing,
 * number, down: the first click sorts the large to the top}.
 */
export function table(caption, columns, rows, { noun = 'row', tools } = {}) {
  let sorted = null // [column, direction]
  let page = 0
  const texts = new Map()
  const text = row => {
    if (!texts.has(row)) texts.set(row, columns.map(c => c.value(row) ?? '').join('\u0000').toLowerCase())
    return texts.get(row)
  }
  const filter = h('input', { type: 'search', id: uid('filter'), placeholder: 'Filter', autocomplete: 'off', spellcheck: 'false' })
  const status = h('span', { class: 'status', role: 'status' })
  const heads = columns.map((c, i) => {
    const arrow = h('span', { class: 'arrow', 'aria-hidden': 'true' })
    return h('th', { scope: 'col', class: c.number ? 'number' : null }, button([c.title, arrow], () => {
      const first = c.down ? -1 : 1
      sorted = sorted?.[0] === i ? (sorted[1] === first ? [i, -first] : null) : [i, first]
      page = 0
      draw()
    }))
  })
  const body = h('tbody')
  const pager = h('div', { class: 'pager' })
  const el = h('div', { class: 'table' })

  let current = rows
  function draw() {
    const q = filter.value.trim().toLowerCase()
    let shown = q ? current.filter(r => text(r).includes(q)) : current
    if (sorted) {
      const [i, dir] = sorted
      const { value } = columns[i]
      const order = (a, b) => {
        const x = value(a)
        const y = value(b)
        // The unknown comes last, whichever way.
        if (x == null || y == null) return (x == null) - (y == null)
        return dir * (typeof x === 'number' && typeof y === 'number' ? x - y : compare(String(x), String(y)))
      }
      shown = [...shown].sort(order)
    }
    heads.forEach((th, i) => {
      const dir = sorted?.[0] === i ? sorted[1] : 0
      if (dir) th.setAttribute('aria-sort', dir > 0 ? 'ascending' : 'descending')
      else th.removeAttribute('aria-sort')
      th.querySelector('.arrow').textContent = dir ? (dir > 0 ? ' ▲' : ' ▼') : ''
    })
    const pages = Math.max(1, Math.ceil(shown.length / PAGE))
    page = Math.min(page, pages - 1)
    body.replaceChildren(...shown.slice(page * PAGE, (page + 1) * PAGE).map(r =>
      h('tr', null, columns.map((c, i) => h(i ? 'td' : 'th', { class: c.number ? 'number' : null, scope: i ? null : 'row' }, c.cell ? c.cell(r) : c.value(r) ?? '–')))))
    status.textContent = shown.length === current.length ? plural(shown.length, noun) : `${shown.length.toLocaleString('en')} of ${plural(current.length, noun)}`
    const go = to => () => { page = to; draw(); el.scrollIntoView({ block: 'nearest' }) }
    pager.replaceChildren()
    if (pages > 1) {
      add(pager, button('Previous', go(page - 1), { disabled: page === 0 }), h('span', null, `page ${page + 1} of ${pages.toLocaleString('en')}`),
        button('Next', go(page + 1), { disabled: page === pages - 1 }))
    }
  }
  let wait
  filter.addEventListener('input', () => {
    clearTimeout(wait)
    wait = setTimeout(() => { page = 0; draw() }, 80)
  })
  add(el,
    h('div', { class: 'tools' }, h('label', { class: 'field' }, h('span', { class: 'sr' }, `Filter ${caption.toLowerCase()}`), filter), tools, status),
    // It scrolls on a narrow screen, which the keyboard must be able to do too.
    h('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': `${caption}, scrolls sideways` }, h('table', null, h('caption', { class: 'sr' }, caption), h('thead', null, h('tr', null, heads)), body)),
    pager)
  el.setRows = r => { current = r; page = 0; draw() }
  draw()
  return el
}
