// What the memory of the group was when it ran out.
import { h, button, size, plural } from './dom.js'

// Parts that do not overlap, from statistics that do: shmem is in file (or on
// the anonymous LRU of a whole machine), slab is in kernel.
function parts(o) {
  const kb = new Map((o.memory ?? []).map(m => [m.name, m.kb]))
  const get = (...names) => names.reduce((sum, n) => sum + (kb.get(n) ?? 0), 0)
  const used = new Set()
  const out = []
  const part = (name, kb, ...from) => {
    from.forEach(n => used.add(n))
    if (kb > 0) out.push({ name, kb })
  }
  const shmem = get('shmem')
  if (kb.has('anon') || kb.has('file')) {
    part('anon', get('anon'), 'anon')
    part('file', get('file') - shmem, 'file')
    part('shmem', shmem, 'shmem')
    if (kb.has('kernel')) part('kernel', get('kernel'), 'kernel')
    else {
      const slab = kb.has('slab') ? get('slab') : get('slab_reclaimable', 'slab_unreclaimable')
      part('kernel', get('kernel_stack', 'pagetables', 'percpu', 'vmalloc') + slab, 'kernel_stack', 'pagetables', 'percpu', 'vmalloc', 'slab')
    }
    part('sock', get('sock'), 'sock')
  } else if (kb.has('rss') || kb.has('cache')) {
    part('anon', get('rss'), 'rss')
    part('file', get('cache') - shmem, 'cache')
    part('shmem', shmem, 'shmem')
    part('kernel', o.kmem_kb ?? 0)
  } else {
    const anon = get('active_anon', 'inactive_anon')
    part('anon', Math.max(0, anon - shmem), 'active_anon', 'inactive_anon')
    part('file', get('active_file', 'inactive_file'), 'active_file', 'inactive_file')
    part('shmem', shmem, 'shmem')
    part('unevictable', get('unevictable'), 'unevictable')
    part('kernel', get('slab_reclaimable', 'slab_unreclaimable', 'pagetables', 'kernel_stack'), 'slab_reclaimable', 'slab_unreclaimable', 'pagetables', 'kernel_stack')
    part('free', get('free', 'free_pcp'), 'free', 'free_pcp')
  }
  const sum = out.reduce((n, p) => n + p.kb, 0)
  if (out.length && o.usage_kb > sum) out.push({ name: 'other', kb: o.usage_kb - sum })
  return { out, rest: (o.memory ?? []).filter(m => m.kb !== 0 && !used.has(m.name)) }
}

const percent = (a, b) => `${((100 * a) / b).toFixed(a / b > 0.0995 ? 0 : 1)} %`

function gauge(label, used, limit) {
  if (!used && !limit) return null
  const full = Math.max(used ?? 0, limit ?? 0, 1)
  const over = limit != null && used > limit
  const text = used == null ? `limit ${size(limit)}` : limit == null ? `${size(used)}, no limit printed` : `${size(used)} of ${size(limit)} (${limit ? percent(used, limit) : 'no room'})`
  return h('div', { class: 'measure' }, h('span', { class: 'name' }, label),
    h('div', { class: 'bar', role: 'img', 'aria-label': `${label}: ${text}` },
      h('div', { class: over || used === limit ? 'fill full' : 'fill', style: { width: `${(100 * (used ?? 0)) / full}%` } }),
      limit != null && h('div', { class: 'limit', style: { left: `${(100 * limit) / full}%` } })),
    h('span', { class: 'amount' }, text))
}

function stack(o) {
  const { out, rest } = parts(o)
  const total = out.reduce((n, p) => n + p.kb, 0)
  if (!out.length && !rest.length) return h('p', { class: 'note' }, 'The OOM report has no statistics of what the memory is.')
  const what = out.map(p => `${p.name} ${size(p.kb)}`).join(', ')
  return [out.length > 0 && h('div', { class: 'bar tall', role: 'img', 'aria-label': `What the memory is: ${what}` },
    out.map(p => h('div', { class: `part m-${p.name}`, title: `${p.name} ${size(p.kb)}`, style: { width: `${(100 * p.kb) / total}%` } }))),
  out.length > 0 && h('ul', { class: 'legend' }, out.map(p => h('li', { class: 'key' }, h('span', { class: `dot m-${p.name}`, 'aria-hidden': 'true' }), `${p.name} ${size(p.kb)} (${percent(p.kb, total)})`))),
  rest.length > 0 && h('details', null, h('summary', null, plural(rest.length, 'other figure'), ' of the report'),
    h('ul', { class: 'columns' }, rest.map(m => h('li', null, `${m.name} ${size(m.kb)}`))))]
}

function top(o) {
  const most = [...(o.candidates ?? [])].sort((a, b) => b.rss - a.rss).slice(0, 8).filter(c => c.rss > 0)
  if (!most.length) return null
  const max = most[0].rss
  return [h('h4', null, 'Largest candidates, resident pages'),
    h('div', { class: 'bars' }, most.map(c => h('div', { class: 'measure' }, h('span', { class: 'name' }, `${c.comm} (pid ${c.pid})`, c.victim && h('span', { class: 'chip k-kill' }, 'killed')),
      h('div', { class: 'bar', 'aria-hidden': 'true' }, h('div', { class: c.victim ? 'fill full' : 'fill', style: { width: `${(100 * c.rss) / max}%` } })),
      h('span', { class: 'amount' }, c.rss.toLocaleString('en')))))]
}

/** pick(oom) is told which report is shown. */
export function memory(inc, log, pick) {
  const ooms = inc.ooms ?? []
  if (!ooms.length) return null
  const body = h('div')
  const show = i => {
    const o = ooms[i]
    body.replaceChildren(...[
      h('h3', null, `OOM in ${o.where}`),
      h('p', { class: 'note' }, 'Asked for by ', o.request),
      gauge('Memory', o.usage_kb, o.limit_kb), gauge('Swap', o.swap_kb, o.swap_limit_kb),
      o.usage && !o.usage_kb && h('p', { class: 'note' }, o.usage), stack(o), top(o),
      o.victims?.length > 0 && [h('h4', null, o.victims.length > 1 ? 'Victims' : 'Victim'), h('ul', { class: 'plain' }, o.victims.map(v =>
        h('li', null, h('strong', null, v.name), ' ', v.fate, v.memory && `; ${v.memory}`, log.details(v.refs, 'seen at'))))],
      log.details([o.ref], 'The report'),
    ].flat(Infinity).filter(Boolean))
    pick(o)
  }
  const box = h('div')
  if (ooms.length > 1) {
    const select = h('select', null, ooms.slice(0, 500).map((o, i) => h('option', { value: i }, `${i + 1} of ${ooms.length}: ${o.where}${o.boot_s != null ? ` at ${o.boot_s.toFixed(1)} s` : ''}`)))
    select.addEventListener('change', () => show(+select.value))
    box.append(h('div', { class: 'tools' }, h('label', { class: 'field' }, 'OOM report ', select),
      button('Next', () => { select.value = (+select.value + 1) % select.options.length; show(+select.value) })))
  }
  box.append(body)
  show(0)
  return box
}
