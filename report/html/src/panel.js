// The panel at the side: what was clicked. It is no modal dialog, the page
// stays usable beside it.
import { h, add, button } from './dom.js'

export class Panel {
  constructor() {
    this.title = h('h2', { id: 'panel-title', tabindex: '-1' })
    this.body = h('div', { class: 'panel-body' })
    this.el = h('aside', { class: 'panel', id: 'panel', 'aria-labelledby': 'panel-title', hidden: true },
      h('header', null, this.title, button('×', () => this.close(), { class: 'close', 'aria-label': 'Close the panel', title: 'Close (Escape)' })),
      this.body)
    document.addEventListener('keydown', e => {
      if (e.key === 'Escape' && !this.el.hidden && !e.defaultPrevented) this.close()
    })
  }

  open(title, ...content) {
    // Where the focus goes back to; not to a button of the panel itself.
    if (!this.el.contains(document.activeElement)) this.from = document.activeElement
    this.title.textContent = title
    this.body.replaceChildren()
    add(this.body, content)
    this.el.hidden = false
    this.body.scrollTop = 0
    document.body.classList.add('with-panel')
    this.title.focus({ preventScroll: true })
  }

  close() {
    if (this.el.hidden) return
    this.el.hidden = true
    document.body.classList.remove('with-panel')
    this.onclose?.()
    if (this.from?.isConnected) this.from.focus({ preventScroll: true })
  }
}
