// Tasks that nobody can tell apart are shown as one.

/** What makes two tasks alike. */
export const alike = t => [t.stack, t.state, t.role, t.waits, t.memcg].join('|')

/** Groups items by key, in order of appearance. */
export function groupBy(items, key) {
  const groups = new Map()
  for (const item of items) {
    const k = key(item)
    if (groups.has(k)) groups.get(k).push(item)
    else groups.set(k, [item])
  }
  return [...groups.values()]
}

const MANY = 12 // nodes that a graph shows one by one
const MOST = 120 // boxes that are still a picture

/**
 * The wait-for graph to draw: vertices that stand for one or more nodes, links
 * that stand for one or more edges.
 */
export function foldGraph(inc, fold) {
  const inCycle = new Set()
  const cycleEdges = new Set((inc.cycles ?? []).flat())
  for (const i of cycleEdges) inCycle.add(inc.edges[i].from).add(inc.edges[i].to)

  const touching = inc.nodes.map(() => [])
  const edges = inc.edges ?? []
  edges.forEach((e, i) => {
    const sort = [e.kind, e.basis, e.relation, e.ended, e.said].join('/')
    touching[e.from].push(`>${e.to}/${sort}`)
    touching[e.to].push(`<${e.from}/${sort}`)
  })
  const all = inc.nodes.map((n, i) => i)
  const sides = i => touching[i].sort().join(' ')
  const stackOf = i => {
    const t = inc.tasks[inc.nodes[i].task]
    return t ? [t.stack, t.state, t.role].join('|') : ''
  }
  const foldable = i => inc.nodes[i].kind === 'task' && !inCycle.has(i)
  const group = key => groupBy(all, i => (foldable(i) ? key(i) : `#${i}`))
  let groups = all.map(i => [i])
  let coarse = false
  if (fold && all.length > MANY) {
    groups = group(i => `${sides(i)}|${stackOf(i)}`)
    if (groups.length > MOST / 2) {
      groups = group(sides)
      coarse = true
    }
  }
  // What is still too much is left out, the best connected kept.
  let left = 0
  if (groups.length > MOST) {
    const weight = g => (inCycle.has(g[0]) ? Infinity : touching[g[0]].length * (inc.nodes[g[0]].kind === 'task' ? 1 : 100))
    const keep = new Set([...groups].sort((a, b) => weight(b) - weight(a)).slice(0, MOST))
    for (const g of groups) if (!keep.has(g)) left += g.length
    groups = groups.filter(g => keep.has(g))
  }

  const at = new Map()
  const vertices = groups.map((members, i) => {
    for (const m of members) at.set(m, i)
    return { members, node: inc.nodes[members[0]], cycle: members.some(m => inCycle.has(m)) }
  })
  const links = new Map()
  edges.forEach((e, i) => {
    const from = at.get(e.from)
    const to = at.get(e.to)
    if (from == null || to == null) return
    const key = [from, to, e.kind, e.ended, e.said].join('|')
    if (!links.has(key)) links.set(key, { from, to, edges: [], first: e, cycle: false })
    const l = links.get(key)
    l.edges.push(i)
    l.cycle ||= cycleEdges.has(i)
  })
  // The cycle first: the layout then breaks it where it starts.
  const order = [...cycleEdges]
  const rank = l => { const r = order.indexOf(l.edges[0]); return r < 0 ? order.length : r }
  return { vertices, links: [...links.values()].sort((a, b) => rank(a) - rank(b)), left, coarse, folded: groups.length + left < all.length, foldable: all.length > MANY }
}
