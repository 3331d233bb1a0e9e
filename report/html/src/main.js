// The page: one incident at a time, from the data that stands in it.
import { h, add, lazy, section, button, plural, words, clip } from './dom.js'
import { Log } from './log.js'
import { Panel } from './panel.js'
import { waitGraph } from './graph.js'
import { flame } from './flame.js'
import { timeline } from './timeline.js'
import { memory } from './memory.js'
import { table } from './table.js'
import { traces, measured } from './trace.js'
import { alike, groupBy } from './fold.js'

const FOLD_TASKS = 200 // rows of the task table that are shown one by one

const data = JSON.parse(document.getElementById('report-data').textContent)
const panel = new Panel()

const CONFIDENCE = {
  confirmed: 'every link is in the kernel’s own words, or is the only one possible',
  likely: 'it all fits, but at least one link is inferred',
  possible: 'it fits only with an assumption that the log neither supports nor contradicts',
}
const badge = (kind, text) => h('span', { class: `badge v-${kind}` }, text)

/** Functions, locks and files of a cgroup read better as code. */
function prose(text) {
  return text.split(/([A-Za-z0-9_./-]*_[A-Za-z0-9_./-]*[A-Za-z0-9_](?:\(\))?)/).map((part, i) => (i % 2 ? h('code', null, part) : part))
}

function incidentView(inc) {
  inc.tasks ??= []
  inc.nodes ??= []
  inc.edges ??= []
  const log = new Log(data.inputs, inc.log)
  const cycleEdges = new Set((inc.cycles ?? []).flat())
  let mainEl = null

  const select = what => {
    mainEl?.querySelectorAll('.selected').forEach(e => e.classList.remove('selected'))
    what?.classList.add('selected')
  }
  panel.onclose = () => select(null)

  const nodeButton = i => {
    const n = inc.nodes[i]
    return button(clip(n.name, 80), () => showNodes([i]), { class: 'link' })
  }
  const edgeLine = (i, text) => button(text, () => showEdges([i]), { class: 'link left' })
  const sentence = e => `${inc.nodes[e.from].name} ${e.relation} ${inc.nodes[e.to].name}`

  function factList(rows) {
    return h('dl', { class: 'facts' }, rows.filter(r => r && r[1] != null && r[1] !== '').map(([k, v]) => h('div', null, h('dt', null, k), h('dd', null, v))))
  }

  function stackView(t) {
    if (t.stack < 0) return h('p', { class: 'empty' }, 'The log has no stack of it.')
    const ids = inc.stacks[t.stack]
    const lines = t.lines?.length > 1 ? t.lines : ids.map((_, i) => (t.lines?.[0] ?? 0) + i)
    return [h('ol', { class: 'stack' }, ids.map((id, i) => {
      const f = inc.frames[id]
      return h('li', { class: [f.guess ? 'guess' : '', f.role ? `does-${f.role}` : ''].join(' ').trim() || null, title: [f.address, lines[i] > 0 && `line ${lines[i]}`].filter(Boolean).join(', ') || null },
        h('code', null, f.text), f.context && h('span', { class: 'chip' }, f.context),
        f.role && h('span', { class: `chip does-${f.role}` }, f.role === 'waits' && f.lock ? 'waits for' : f.role, f.lock && ` ${clip(f.lock, 100)}`))
    })), ids.some(i => inc.frames[i].guess) && h('p', { class: 'note' }, 'Frames with “?” were found on the stack but not by unwinding it.')]
  }

  function edgesOf(i) {
    const list = inc.edges.map((e, n) => [e, n]).filter(([e]) => e.from === i || e.to === i)
    if (!list.length) return null
    const most = 30
    return [h('h3', null, 'In the graph'), h('ul', { class: 'plain' }, list.slice(0, most).map(([e, n]) => h('li', null, edgeLine(n, sentence(e)), ' ', basisChip(e))),
      list.length > most && h('li', { class: 'note' }, `and ${list.length - most} more`))]
  }
  const basisChip = e => h('span', { class: `chip ${e.said ? 'said' : 'inferred'}` }, e.basis, e.ended && ', ended')

  function showTask(i) {
    const t = inc.tasks[i]
    panel.open(t.name,
      factList([
        ['Role', words(t.role)], ['State', t.state], ['In', t.in && `${t.in}()`], ['Blocked', t.blocked_s != null && `${t.blocked_s} s`],
        ['Waits for', t.waits != null && nodeButton(t.waits)], ['CPU', t.cpu != null && String(t.cpu)], ['Memory cgroup', t.memcg],
        ['Kind', t.kthread && 'kernel thread'], ['Stack from', t.source && words(t.source)], ['Seen', t.sightings > 1 && `${t.sightings} times`],
      ].filter(r => r[1] !== false)),
      t.holds?.length > 0 && [h('h3', null, 'Holds'), h('ul', { class: 'plain' }, t.holds.map(x => h('li', null, prose(x))))],
      h('h3', null, 'Stack'), stackView(t),
      t.node != null && edgesOf(t.node),
      t.refs?.length > 0 && [h('h3', null, 'In the log'), log.around(t.refs.slice(0, 12)), t.refs.length > 12 && h('p', { class: 'note' }, `and ${t.refs.length - 12} more lines`)])
    select(mainEl.querySelector(`[data-node="${t.node}"]`))
  }

  function showTasks(list, title) {
    if (list.length === 1) return showTask(inc.tasks.indexOf(list[0]))
    const same = new Set(list.map(t => t.stack)).size === 1
    panel.open(title ?? plural(list.length, 'task'), h('p', null, plural(list.length, 'task'), same ? ' with the same stack.' : '.'),
      table('Tasks of this group', [
        { title: 'Task', value: t => t.name, cell: t => button(t.name, () => showTask(inc.tasks.indexOf(t)), { class: 'link left' }) },
        { title: 'State', value: t => t.state }, { title: 'Blocked (s)', value: t => t.blocked_s, number: true, down: true },
      ], list, { noun: 'task' }),
      same && [h('h3', null, 'Stack'), stackView(list[0])])
  }

  function showNodes(members) {
    const i = members[0]
    const n = inc.nodes[i]
    if (members.length > 1) showTasks(members.map(m => inc.tasks[inc.nodes[m].task]).filter(Boolean))
    else if (n.task != null) showTask(n.task)
    else {
      panel.open(n.name, factList([['Kind', n.kind], ['Class', n.class], ['Address', n.address]]), edgesOf(i))
    }
    select(mainEl.querySelector(`[data-node="${i}"]`))
  }

  function showEdges(list) {
    const e = inc.edges[list[0]]
    const refs = list.flatMap(i => inc.edges[i].refs ?? [])
    panel.open(list.length > 1 ? `${plural(list.length, 'edge')} alike` : sentence(e),
      h('p', null, badge(e.said ? 'said' : 'inferred', e.said ? 'the kernel said so' : 'inferred'), ' ', list.some(i => cycleEdges.has(i)) && badge('cycle', 'part of the cycle'), ' ', e.ended && badge('ended', 'ended')),
      list.length > 1 && h('ul', { class: 'plain' }, list.slice(0, 50).map(i => h('li', null, edgeLine(i, sentence(inc.edges[i])))), list.length > 50 && h('li', { class: 'note' }, `and ${list.length - 50} more`)),
      factList([['Basis', e.basis], ['Function', e.frame && h('code', null, `${e.frame}()`)],
        ['From', list.length === 1 && nodeButton(e.from)], ['To', nodeButton(e.to)]].filter(r => r[1])),
      e.why?.length > 0 && [h('h3', null, 'Why this one'), h('ol', { class: 'steps' }, e.why.map(w => h('li', null, prose(w))))],
      e.fact && [h('h3', null, 'Fact about the kernel'), h('p', { class: 'fact' }, h('code', null, e.fact))],
      h('h3', null, 'Evidence'),
      refs.length ? log.around(refs.slice(0, 12)) : h('p', { class: 'empty' }, 'No line of the log says this by itself.'),
      refs.length > 12 && h('p', { class: 'note' }, `and ${refs.length - 12} more lines`))
    select(mainEl.querySelector(`[data-edge="${list[0]}"]`))
  }
  const showLog = e => panel.open(log.place(e.ref), h('p', null, e.text), log.around([e.ref]))

  // The parts of the page, top to bottom.
  const main = inc.findings?.[0]
  const header = h('header', { class: 'card head' },
    h('p', { class: 'badges' }, badge(inc.verdict, inc.verdict_text), badge(`c-${inc.confidence}`, inc.confidence)),
    h('h1', null, inc.headline),
    inc.resolution && h('p', { class: 'resolution' }, prose(inc.resolution)),
    factList(inc.facts.map(f => [f.label, f.value])),
    h('div', { class: 'reasons' },
      h('h2', null, 'How sure this is'),
      h('p', null, h('strong', null, inc.confidence), main ? `: ${CONFIDENCE[inc.confidence] ?? ''}.` : ': no rule found anything stuck; this is how sure the outcome is.'),
      main?.explanation?.length > 0 && h('ul', null, main.explanation.map(x => h('li', { class: /^not (confirmed|likely)/.test(x) ? 'but' : null }, prose(x)))),
      h('p', null, h('strong', null, 'mem_cgroup_oom_synchronize(): '), inc.sync.text, inc.sync.reason && [': ', prose(inc.sync.reason)]),
      log.details(inc.sync.refs, 'seen at')))

  const graph = waitGraph(inc, (kind, list) => (kind === 'nodes' ? showNodes(list) : showEdges(list)))
  const cycles = inc.cycles ?? []
  const inWords = cycles.slice(0, 5).map((c, n) => h('div', { class: 'in-words' },
    h('h3', null, cycles.length > 1 ? `Cycle ${n + 1} in words` : 'The cycle in words'),
    h('ol', { class: 'steps' }, c.map(i => h('li', null, edgeLine(i, sentence(inc.edges[i])), ' ', basisChip(inc.edges[i]))))))

  const fixes = findings => findings.map((f, n) => h('article', { class: 'finding' },
    h('h3', null, badge(f.verdict, f.verdict_text), ' ', h('code', null, f.rule), ' ', h('span', { class: 'conf' }, f.confidence)),
    h('p', null, prose(f.summary)), f.ended && h('p', { class: 'resolution' }, 'Ended: ', prose(f.ended)),
    n > 0 && f.explanation?.length > 0 && h('ul', null, f.explanation.map(x => h('li', null, prose(x)))),
    f.actions?.length > 0 && [h('h4', null, 'What to do now, safest first'), h('ol', { class: 'steps' }, f.actions.map(x => h('li', null, prose(x))))],
    f.collect?.length > 0 && [h('h4', null, 'What to collect next'), h('ul', null, f.collect.map(x => h('li', null, prose(x))))],
    f.fixes?.length > 0 && [h('h4', null, 'Fixes'), h('ul', { class: 'fixes' }, f.fixes.map(x =>
      h('li', null, h('code', { class: 'commit' }, x.commit), ' ', x.subject, h('div', { class: 'note' }, x.release), x.note && h('div', { class: 'note' }, x.note))))]))

  const evidence = () => (inc.findings ?? []).filter(f => f.evidence?.length).map(f => [
    inc.findings.length > 1 && h('h3', null, h('code', null, f.rule)),
    h('ul', { class: 'evidence' }, f.evidence.slice(0, 200).map(e => h('li', null, lazy({ class: 'where' },
      [h('span', { class: 'place' }, log.place(e.ref)), ' ', h('code', null, e.text || log.text(e.ref) || '')],
      () => log.around([e.ref], new Map([[e.ref.join(':'), e.text]])))))), f.evidence.length > 200 && h('p', { class: 'note' }, `and ${f.evidence.length - 200} more lines`)])

  const candidates = h('div')
  const mem = memory(inc, log, o => {
    candidates.replaceChildren()
    if (!o.candidates?.length) return
    add(candidates, table('Candidates of the OOM killer', [
      { title: 'Command', value: c => c.comm, cell: c => [c.comm, c.victim && h('span', { class: 'chip k-kill' }, 'killed')] },
      { title: 'pid', value: c => c.pid, number: true }, { title: 'tgid', value: c => c.tgid, number: true }, { title: 'uid', value: c => c.uid, number: true },
      { title: 'RSS (pages)', value: c => c.rss, cell: c => c.rss.toLocaleString('en'), number: true, down: true },
      { title: 'VM (pages)', value: c => c.vm, cell: c => c.vm.toLocaleString('en'), number: true, down: true },
      { title: 'oom_score_adj', value: c => c.adj, number: true, down: true },
    ], o.candidates, { noun: 'candidate' }), o.more > 0 && h('p', { class: 'note' }, `${plural(o.more, 'more row')} of the table left out of the report`))
  })

  function tasks() {
    const folded = groupBy(inc.tasks, alike)
    const row = list => ({ list, t: list[0] })
    const single = inc.tasks.map(t => row([t]))
    const groups = folded.map(row)
    const start = inc.tasks.length > FOLD_TASKS && groups.length < single.length
    const wait = t => (t.waits != null ? inc.nodes[t.waits].name : null)
    const longest = r => r.list.reduce((m, t) => (t.blocked_s != null && (m == null || t.blocked_s > m) ? t.blocked_s : m), null)
    const names = r => (r.list.length > 1 ? `${plural(r.list.length, 'task')}: ${r.list.slice(0, 3).map(t => t.name).join(', ')}${r.list.length > 3 ? ' …' : ''}` : r.t.name)
    const box = h('input', { type: 'checkbox', checked: start })
    const el = table('Tasks', [
      { title: 'Task', value: names, cell: r => button(names(r), () => showTasks(r.list), { class: 'link left' }) },
      { title: 'Number', value: r => r.list.length, number: true, down: true },
      { title: 'Role', value: r => words(r.t.role) }, { title: 'State', value: r => r.t.state },
      { title: 'In', value: r => r.t.in, cell: r => (r.t.in ? h('code', null, r.t.in) : '–') },
      { title: 'Waits for', value: r => wait(r.t) },
      { title: 'Blocked (s)', value: longest, number: true, down: true },
    ], start ? groups : single, { noun: 'row', tools: groups.length < single.length && h('label', { class: 'check' }, box, ' Fold equal tasks') })
    box.addEventListener('change', () => el.setRows(box.checked ? groups : single))
    return el
  }

  const flames = flame(inc, showTasks)
  const traced = tracing(log, t => {
    const i = inc.tasks.findIndex(x => x.name === t.name)
    return i >= 0 && (() => showTask(i))
  })
  const parts = [
    ['graph', 'Wait-for graph', inc.nodes.length ? [graph, inWords] : null],
    ['findings', 'What to do', inc.findings?.length ? fixes(inc.findings) : null],
    ['evidence', 'Evidence', inc.findings?.some(f => f.evidence?.length) ? evidence() : null],
    ['timeline', 'Timeline', timeline(inc, log, showTask, showLog)],
    ...traced.parts,
    ['memory', 'Memory', mem],
    ['flame', 'Stacks', inc.tasks.length ? flames : null],
    ['tasks', 'Tasks', inc.tasks.length ? tasks() : null],
    ['candidates', 'OOM candidates', inc.ooms?.some(o => o.candidates?.length) ? candidates : null],
  ].filter(p => p[2])
  mainEl = h('main', { id: 'main', tabindex: '-1' }, header,
    h('nav', { class: 'toc', 'aria-label': 'Parts of the page' }, parts.map(([id, title]) => h('a', { href: `#${id}` }, title))),
    parts.map(([id, title, content]) => section(id, title, content)),
    inputs())
  return { el: mainEl, draw: () => { graph.draw?.(); flames.draw?.(); traced.draw() } }
}

/** The parts of the page that come from traces; stackOf(task) opens its stack, if there is one. */
function tracing(log, stackOf) {
  const el = traces(data, log, (...content) => panel.open(...content), stackOf)
  const stacks = measured(data.samples)
  return { parts: [['trace', 'Trace', el], ['measured', 'Measured stacks', stacks]], draw: () => stacks?.draw() }
}

function nothing() {
  const traced = tracing(new Log(data.inputs), () => null)
  const parts = traced.parts.filter(p => p[2])
  return { el: h('main', { id: 'main', tabindex: '-1' },
    h('header', { class: 'card head' }, h('h1', null, 'No incident found'), h('p', null, 'The input shows no OOM kill, hung task or deadlock.')),
    parts.map(([id, title, content]) => section(id, title, content)), inputs()), draw: traced.draw }
}

function inputs() {
  return section('inputs', 'Inputs', h('ul', { class: 'plain' }, data.inputs.slice(0, 200).map(i => h('li', null, h('code', null, i.name), h('div', { class: 'note' }, i.facts),
    i.diagnostics?.length > 0 && h('ul', null, i.diagnostics.slice(0, 50).map(d => h('li', null, h('span', { class: `chip d-${d.severity}` }, d.severity), ' ', d.line != null && `line ${d.line}: `, d.message)))))))
}

function switcher(show) {
  const most = 100
  const list = h('ul', { class: 'incidents' })
  const status = h('span', { class: 'status', role: 'status' })
  let at = 0
  const filter = h('input', { type: 'search', placeholder: 'Filter', autocomplete: 'off', spellcheck: 'false' })
  const draw = () => {
    const q = filter.value.trim().toLowerCase()
    const found = data.incidents.map((inc, i) => [inc, i]).filter(([inc]) => !q || [inc.verdict_text, inc.confidence, inc.headline, inc.host].join(' ').toLowerCase().includes(q))
    list.replaceChildren(...found.slice(0, most).map(([inc, i]) => h('li', null,
      button([badge(inc.verdict, inc.verdict_text), ' ', h('span', { class: 'conf' }, inc.confidence), ' ', h('span', { class: 'line' }, inc.host ? `${inc.host}: ` : '', inc.headline)],
        () => { at = i; show(i); draw(); list.querySelector('[aria-current]')?.focus() }, { 'aria-current': i === at ? 'true' : null }))))
    status.textContent = `${found.length > most ? `${most} of ` : ''}${plural(found.length, 'incident')}`
  }
  filter.addEventListener('input', draw)
  draw()
  return h('nav', { class: 'card switch', 'aria-label': 'Incidents' },
    h('div', { class: 'tools' }, h('label', { class: 'field' }, h('span', { class: 'sr' }, 'Filter incidents'), filter), status), list)
}

function themeButton() {
  const dark = () => (document.documentElement.dataset.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark'
  const label = () => (dark() ? 'Light theme' : 'Dark theme')
  const b = button(label(), () => { document.documentElement.dataset.theme = dark() ? 'light' : 'dark'; b.textContent = label() }, { class: 'theme' })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { b.textContent = label() })
  return b
}

function start() {
  const stage = h('div', { class: 'stage' })
  const show = i => {
    panel.close()
    const view = i < data.incidents.length ? incidentView(data.incidents[i]) : nothing()
    stage.replaceChildren(view.el)
    view.draw()
  }
  add(document.getElementById('app'),
    h('a', { class: 'skip', href: '#main' }, 'Skip to the incident'),
    h('header', { class: 'top' }, h('span', { class: 'brand' }, 'oomtrace'), themeButton()),
    data.incidents.length > 1 && switcher(show), stage, panel.el)
  show(0)
  // Paper has no clicks: what can be opened is open on it.
  addEventListener('beforeprint', () => {
    document.querySelectorAll('svg.waits').forEach(e => e.onpaper(true))
    document.querySelectorAll('.flame > svg').forEach(e => e.setAttribute('viewBox', `0 0 ${e.getAttribute('width')} ${e.getAttribute('height')}`))
    document.querySelectorAll('main details:not([open])').forEach(d => { d.fillIn?.(); d.open = true; d.dataset.print = '' })
  })
  addEventListener('afterprint', () => {
    document.querySelectorAll('svg.waits').forEach(e => e.onpaper(false))
    document.querySelectorAll('.flame > svg').forEach(e => e.removeAttribute('viewBox'))
    document.querySelectorAll('details[data-print]').forEach(d => { d.open = false; delete d.dataset.print })
  })
}

start()
