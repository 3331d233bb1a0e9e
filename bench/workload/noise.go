package workload

import (
	"io"
	"strconv"
)

// Noise writes about size bytes of syslog as a central server keeps it: 48
// hosts and their programs in one file (RFC 3164, control characters escaped as
// rsyslog does), kernel lines of usb, network, audit, ufw and mounts among them.
// One line in a thousand belongs to a real report: an OOM, a hung task or a
// sysrq-w, with lines of other hosts in between.
func Noise(w io.Writer, t *Texts, size int64) (Planted, error) {
	g := &noise{sink: newSink(w), rng: newRand(1), now: 36_000_000_000}
	for i := range g.hosts {
		h := &g.hosts[i]
		h.name = []string{"web", "db", "app", "node", "cache", "edge"}[i%6] + zeroed(i/6+1)
		h.boot = int64(g.rng.n(90*86400)) * 1e6
		h.texts = t.of(pick(&g.rng, []string{"6.1", "6.1", "6.1", "7.2", "3.2", "3.14"}))
	}
	due := int64(300) // the line at which the next report begins
	for g.planted.Bytes < size {
		if g.planted.Lines >= due {
			before := g.planted.ReportLines
			g.report()
			// Its lines must be one in a thousand.
			due += (g.planted.ReportLines-before)*1000 - 500 + int64(g.rng.n(1000))
			continue
		}
		g.other(nil)
	}
	return g.end()
}

func zeroed(n int) string { return string(zeros(nil, int64(n), 2)) }

type noise struct {
	*sink
	rng
	hosts  [48]host
	now    int64 // microseconds since the first midnight
	second int64 // that wall is of
	wall   []byte
	trace  int // lines to come of a Java stack
	tracer *host
	values values
}

type host struct {
	name  string
	boot  int64 // microseconds that it was up at midnight
	texts []*piece
}

// days of the year's first months: the log begins on 10 March.
var months = []struct {
	name string
	days int64
}{{"Mar", 31}, {"Apr", 30}, {"May", 31}, {"Jun", 30}, {"Jul", 31}, {"Aug", 31}, {"Sep", 30}, {"Oct", 31}, {"Nov", 30}, {"Dec", 31}}

// head appends "Mar 10 11:19:17 web01 ".
func (g *noise) head(h *host) []byte {
	if s := g.now / 1e6; s != g.second || g.wall == nil {
		g.second = s
		day, m := s/86400+9, 0
		for day >= months[m].days {
			day -= months[m].days
			m = (m + 1) % len(months)
		}
		b := append(g.wall[:0], months[m].name...)
		b = append(b, ' ')
		b = padded(b, day+1, 2)
		b = append(b, ' ')
		b = zeros(b, s/3600%24, 2)
		b = append(b, ':')
		b = zeros(b, s/60%60, 2)
		b = append(b, ':')
		b = zeros(b, s%60, 2)
		g.wall = append(b, ' ')
	}
	b := append(g.buf, g.wall...)
	b = append(b, h.name...)
	return append(b, ' ')
}

func (g *noise) kernel(h *host) []byte {
	return stamp(append(g.head(h), "kernel: "...), g.now+h.boot)
}

// program appends "Mar 10 11:19:17 web01 sshd[4711]: ".
func (g *noise) program(h *host, name string) []byte {
	b := append(g.head(h), name...)
	b = append(b, '[')
	b = strconv.AppendInt(b, int64(600+g.n(60000)), 10)
	return append(b, "]: "...)
}

// report writes one report of a host, and now and then a line of another one
// between its lines.
func (g *noise) report() {
	h := &g.hosts[g.n(len(g.hosts))]
	p := pick(&g.rng, h.texts)
	v := &g.values
	v.pids, v.names, v.group = 1000+g.n(60000), g.n(len(names)), g.n(100)
	start := g.now
	for i := range p.lines {
		l := &p.lines[i]
		g.now = max(g.now, start+l.at)
		g.line(l.append(g.kernel(h), v))
		g.planted.ReportLines++
		g.planted.count(l.kind)
		if l.kind == OOM || l.kind == HungTask {
			g.planted.Reports = append(g.planted.Reports, Report{Line: int(g.planted.Lines), Kind: l.kind, Pid: v.pid(l.pid)})
		}
		if g.n(8) == 0 {
			g.other(h)
		}
	}
}

// other writes one line that belongs to no report, of any host but not.
func (g *noise) other(not *host) {
	g.now += int64(g.n(2800)) // about 700 lines a second
	if g.trace > 0 && g.tracer != not {
		g.trace--
		g.javaFrame(g.tracer)
		return
	}
	h := &g.hosts[g.n(len(g.hosts))]
	for h == not {
		h = &g.hosts[g.n(len(g.hosts))]
	}
	switch n := g.n(100); {
	case n < 26:
		g.access(h)
	case n < 44:
		g.java(h)
	case n < 56:
		g.sshd(h)
	case n < 67:
		g.systemd(h)
	case n < 76:
		g.kubelet(h)
	case n < 82:
		g.cron(h)
	case n < 90:
		g.firewall(h)
	case n < 95:
		g.audit(h)
	default:
		g.driver(h)
	}
}

func (g *noise) ip(b []byte) []byte {
	r := g.next()
	b = append(b, "10."...)
	b = strconv.AppendUint(b, r&255, 10)
	b = append(b, '.')
	b = strconv.AppendUint(b, r>>8&255, 10)
	b = append(b, '.')
	return strconv.AppendUint(b, r>>16&255, 10)
}

var (
	users   = []string{"root", "deploy", "ansible", "backup", "alice", "bob", "jenkins", "www-data", "postgres", "monitor"}
	paths   = []string{"/", "/api/v1/orders", "/api/v1/users", "/static/app.css", "/static/js/main.js", "/healthz", "/login", "/search?q=kernel", "/images/logo.png", "/metrics", "/api/v2/items", "/favicon.ico"}
	agents  = []string{"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "curl/8.5.0", "kube-probe/1.30", "Prometheus/2.53.0", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15"}
	units   = []string{"logrotate.service", "apt-daily.timer", "docker.service", "session-42.scope", "user@1000.service", "fstrim.service", "man-db.service", "systemd-tmpfiles-clean.service", "certbot.service", "e2scrub_all.service"}
	classes = []string{"com.example.orders.OrderService", "com.example.billing.InvoiceJob", "org.springframework.web.servlet.DispatcherServlet", "org.apache.kafka.clients.NetworkClient", "com.zaxxer.hikari.pool.HikariPool", "org.hibernate.engine.jdbc.spi.SqlExceptionHelper", "io.netty.channel.AbstractChannelHandlerContext"}
	methods = []string{"handle", "invoke", "process", "doFilter", "execute", "run", "channelRead", "getConnection", "place", "commit"}
	pods    = []string{"default/web-7d9f6c5b8-x2x4p", "kube-system/coredns-5d78c9869d-abcde", "prod/orders-6f7bb9c4d8-q9wzr", "prod/payments-0", "monitoring/node-exporter-8xk2l"}
)

func (g *noise) access(h *host) {
	b := g.program(h, "nginx")
	b = g.ip(b)
	b = append(b, " - - \""...)
	b = append(b, pick(&g.rng, []string{"GET ", "GET ", "GET ", "POST ", "PUT "})...)
	b = append(b, pick(&g.rng, paths)...)
	b = append(b, " HTTP/1.1\" "...)
	b = append(b, pick(&g.rng, []string{"200 ", "200 ", "200 ", "304 ", "404 ", "502 "})...)
	b = strconv.AppendInt(b, int64(g.n(90000)), 10)
	b = append(b, " \"-\" \""...)
	b = append(b, pick(&g.rng, agents)...)
	b = append(b, "\" rt=0."...)
	b = zeros(b, int64(g.n(1000)), 3)
	g.line(b)
}

func (g *noise) java(h *host) {
	b := g.program(h, "java")
	switch n := g.n(60); {
	case n == 0:
		b = append(b, "ERROR [http-nio-8080-exec-"...)
		b = strconv.AppendInt(b, int64(g.n(200)), 10)
		b = append(b, "] "...)
		b = append(b, pick(&g.rng, classes)...)
		b = append(b, " - request failed: java.util.concurrent.TimeoutException: no answer within "...)
		b = strconv.AppendInt(b, int64(1000+g.n(30000)), 10)
		b = append(b, " ms"...)
		g.trace, g.tracer = 8+g.n(30), h
	case n < 8:
		b = append(b, "WARN  [scheduler-"...)
		b = strconv.AppendInt(b, int64(g.n(8)), 10)
		b = append(b, "] "...)
		b = append(b, pick(&g.rng, classes)...)
		b = append(b, " - pool is blocked for "...)
		b = strconv.AppendInt(b, int64(g.n(5000)), 10)
		b = append(b, " ms, active="...)
		b = strconv.AppendInt(b, int64(g.n(50)), 10)
	default:
		b = append(b, "INFO  [http-nio-8080-exec-"...)
		b = strconv.AppendInt(b, int64(g.n(200)), 10)
		b = append(b, "] "...)
		b = append(b, pick(&g.rng, classes)...)
		b = append(b, " - order "...)
		b = hex(b, g.next(), 12)
		b = append(b, " done, task "...)
		b = strconv.AppendInt(b, int64(g.n(1<<20)), 10)
		b = append(b, " took "...)
		b = strconv.AppendInt(b, int64(g.n(900)), 10)
		b = append(b, " ms"...)
	}
	g.line(b)
}

func (g *noise) javaFrame(h *host) {
	b := append(g.program(h, "java"), "#011at "...)
	class := pick(&g.rng, classes)
	b = append(b, class...)
	b = append(b, '.')
	b = append(b, pick(&g.rng, methods)...)
	b = append(b, '(')
	dot := len(class)
	for class[dot-1] != '.' {
		dot--
	}
	b = append(b, class[dot:]...)
	b = append(b, ".java:"...)
	b = strconv.AppendInt(b, int64(10+g.n(900)), 10)
	g.line(append(b, ')'))
}

func (g *noise) sshd(h *host) {
	b := g.program(h, "sshd")
	switch g.n(4) {
	case 0:
		b = append(b, "Accepted publickey for "...)
	case 1:
		b = append(b, "Failed password for invalid user "...)
	case 2:
		b = append(b, "Connection closed by authenticating user "...)
	default:
		b = append(b, "Disconnected from user "...)
	}
	b = append(b, pick(&g.rng, users)...)
	b = append(b, " from "...)
	b = g.ip(b)
	b = append(b, " port "...)
	b = strconv.AppendInt(b, int64(1024+g.n(60000)), 10)
	g.line(append(b, " ssh2"...))
}

func (g *noise) systemd(h *host) {
	b := append(g.head(h), "systemd[1]: "...)
	unit := pick(&g.rng, units)
	switch n := g.n(50); {
	case n < 10:
		b = append(b, "Starting "...)
	case n < 20:
		b = append(b, "Started "...)
	case n < 30:
		b = append(b, "Finished "...)
	case n < 40:
		b = append(b, unit...)
		g.line(append(b, ": Deactivated successfully."...))
		return
	case n < 49:
		b = append(b, unit...)
		b = append(b, ": Consumed "...)
		b = strconv.AppendInt(b, int64(g.n(60)), 10)
		b = append(b, '.')
		b = zeros(b, int64(g.n(1000)), 3)
		g.line(append(b, "s CPU time."...))
		return
	default:
		b = append(b, unit...)
		g.line(append(b, ": Main process exited, code=killed, status=9/KILL"...))
		return
	}
	b = append(b, unit...)
	g.line(append(b, " - a unit of this machine..."...))
}

func (g *noise) kubelet(h *host) {
	b := g.program(h, "kubelet")
	b = append(b, 'I')
	b = zeros(b, int64(310), 4)
	b = append(b, ' ')
	b = zeros(b, g.now/1e6/3600%24, 2)
	b = append(b, ':')
	b = zeros(b, g.now/1e6/60%60, 2)
	b = append(b, ':')
	b = zeros(b, g.now/1e6%60, 2)
	b = append(b, '.')
	b = zeros(b, g.now%1e6, 6)
	b = append(b, "    1204 kubelet.go:"...)
	b = strconv.AppendInt(b, int64(1000+g.n(2000)), 10)
	b = append(b, "] \"SyncLoop (PLEG): event for pod\" pod=\""...)
	b = append(b, pick(&g.rng, pods)...)
	b = append(b, "\" event={\"Type\":\"ContainerStarted\",\"Data\":\""...)
	b = hex(b, g.next(), 16)
	b = hex(b, g.next(), 16)
	g.line(append(b, "\"}"...))
}

func (g *noise) cron(h *host) {
	b := g.program(h, "CRON")
	b = append(b, '(')
	b = append(b, pick(&g.rng, users)...)
	b = append(b, ") CMD (   cd / && run-parts --report /etc/cron.hourly/"...)
	b = strconv.AppendInt(b, int64(g.n(1000)), 10)
	g.line(append(b, ')'))
}

func (g *noise) firewall(h *host) {
	b := append(g.kernel(h), "[UFW BLOCK] IN=eth0 OUT= MAC=52:54:00:"...)
	m := g.next()
	for i := range 11 {
		if i > 0 {
			b = append(b, ':')
		}
		b = hex(b, m>>(5*i), 2)
	}
	b = append(b, " SRC="...)
	b = g.ip(b)
	b = append(b, " DST="...)
	b = g.ip(b)
	b = append(b, " LEN="...)
	b = strconv.AppendInt(b, int64(40+g.n(1400)), 10)
	b = append(b, " TOS=0x00 PREC=0x00 TTL="...)
	b = strconv.AppendInt(b, int64(30+g.n(220)), 10)
	b = append(b, " ID="...)
	b = strconv.AppendInt(b, int64(g.n(65536)), 10)
	b = append(b, " PROTO=TCP SPT="...)
	b = strconv.AppendInt(b, int64(g.n(65536)), 10)
	b = append(b, " DPT="...)
	b = strconv.AppendInt(b, int64(g.n(1024)), 10)
	g.line(append(b, " WINDOW=1024 RES=0x00 SYN URGP=0 "...))
}

func (g *noise) audit(h *host) {
	b := append(g.kernel(h), "audit: type=1400 audit(17100"...)
	b = zeros(b, g.now/1e6%100000, 5)
	b = append(b, '.')
	b = zeros(b, int64(g.n(1000)), 3)
	b = append(b, ':')
	b = strconv.AppendInt(b, int64(g.n(100000)), 10)
	b = append(b, "): apparmor=\"ALLOWED\" operation=\"open\" profile=\"/usr/sbin/sssd\" name=\"/proc/"...)
	b = strconv.AppendInt(b, int64(1+g.n(60000)), 10)
	b = append(b, "/cmdline\" pid="...)
	b = strconv.AppendInt(b, int64(1+g.n(60000)), 10)
	g.line(append(b, " comm=\"sssd_nss\" requested_mask=\"r\" denied_mask=\"r\" fsuid=0 ouid=0"...))
}

func (g *noise) driver(h *host) {
	b := g.kernel(h)
	switch g.n(12) {
	case 0:
		b = append(b, "usb 1-"...)
		b = strconv.AppendInt(b, int64(1+g.n(8)), 10)
		b = append(b, ": new high-speed USB device number "...)
		b = strconv.AppendInt(b, int64(1+g.n(120)), 10)
		b = append(b, " using xhci_hcd"...)
	case 1:
		b = append(b, "EXT4-fs (sd"...)
		b = append(b, byte('a'+g.n(20)), '1')
		b = append(b, "): mounted filesystem with ordered data mode. Quota mode: none."...)
	case 2:
		b = append(b, "TCP: request_sock_TCP: Possible SYN flooding on port "...)
		b = strconv.AppendInt(b, int64(g.n(65536)), 10)
		b = append(b, ". Sending cookies.  Check SNMP counters."...)
	case 3, 4, 5:
		b = append(b, "docker0: port "...)
		b = strconv.AppendInt(b, int64(1+g.n(40)), 10)
		b = append(b, "(veth"...)
		b = hex(b, g.next(), 7)
		b = append(b, ") entered blocking state"...)
	case 6, 7, 8:
		b = append(b, "br-"...)
		b = hex(b, g.next(), 12)
		b = append(b, ": port "...)
		b = strconv.AppendInt(b, int64(1+g.n(40)), 10)
		b = append(b, "(veth"...)
		b = hex(b, g.next(), 7)
		b = append(b, ") entered forwarding state"...)
	default:
		b = append(b, "e1000e 0000:00:1f.6 eth0: NIC Link is "...)
		b = append(b, pick(&g.rng, []string{"Down", "Up 1000 Mbps Full Duplex, Flow Control: Rx/Tx"})...)
	}
	g.line(b)
}
