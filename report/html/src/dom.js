// Elements are built here and nowhere else. Text goes in as text nodes only:
// the page has no way to turn a string into markup.

const SVG = 'http://www.w3.org/2000/svg'

function fill(el, attrs, children) {
  for (const [k, v] of Object.entries(attrs ?? {})) {
    if (v == null || v === false) continue
    if (k.startsWith('on')) el.addEventListener(k.slice(2), v)
    else if (k === 'style') for (const [p, x] of Object.entries(v)) el.style.setProperty(p, x)
    else el.setAttribute(k, v === true ? '' : v)
  }
  add(el, children)
  return el
}

/** Appends nodes, strings and lists of them; null and false are nothing. */
export function add(el, ...children) {
  for (const c of children.flat(Infinity)) {
    if (c == null || c === false) continue
    el.append(c instanceof Node ? c : document.createTextNode(String(c)))
  }
  return el
}

export const h = (tag, attrs, ...children) => fill(document.createElement(tag), attrs, children)
export const s = (tag, attrs, ...children) => fill(document.createElementNS(SVG, tag), attrs, children)

/** A section of the page with its heading; null where there is nothing to show. */
export function section(id, title, ...children) {
  return h('section', { id, class: 'card', 'aria-labelledby': `${id}-title` }, h('h2', { id: `${id}-title` }, title), children)
}

export function button(label, onclick, attrs) {
  return h('button', { type: 'button', onclick, ...attrs }, label)
}

export const plural = (n, noun) => `${n.toLocaleString('en')} ${noun}${n === 1 ? '' : 's'}`

/** A size for people. */
export function size(kb) {
  const fixed = (x, unit) => `${x.toFixed(1).replace(/\.0$/, '')} ${unit}`
  if (Math.abs(kb) < 10 << 10) return `${kb} kB`
  if (Math.abs(kb) < 10 * 1048576) return fixed(kb / 1024, 'MiB')
  return fixed(kb / 1048576, 'GiB')
}

export const words = t => t.replaceAll('_', ' ')
export const clip = (t, n) => (t.length > n ? t.slice(0, n - 1) + '…' : t)
export const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches

/** A details element that makes its content when it is opened, or printed. */
export function lazy(attrs, summary, make) {
  const el = h('details', attrs, h('summary', null, summary))
  el.fillIn = () => {
    el.fillIn = null
    add(el, make())
  }
  el.addEventListener('toggle', () => { if (el.open) el.fillIn?.() })
  return el
}

let ids = 0
export const uid = prefix => `${prefix}-${++ids}`
