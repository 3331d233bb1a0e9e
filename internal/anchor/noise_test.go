package anchor

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// kernelAnchors is a set of the kind that a parser of kernel logs needs.
var kernelAnchors = []string{
	"+0x", "u002b0x", "u002B0x", "[<0", "[<f", "[<c", "[<8", "[<9", "] 0xffff", "Call Trace", "Call trace", "Backtrace:",
	"oom-", "oom_", "oom killer", "of memory", "FAULT_OOM", "total-vm", "Killed process", "Kill process",
	"blocked for more than", " blocked on a", "blocked in I/O wait", "can't die for more", "INFO: task", "INFO: rcu", "rcu: INFO",
	"INFO: lockdep", "SysRq : ", "sysrq: ", "flags:0x", "Linux version ", "-fs (", "XFS (", "d stall", "lockup", "LOCKUP",
	"hogged CPU", "NMI backtrace", "not syncing", "Future hung", "Sched Debug", "locks held", "lock held", "Showing all locks",
	"Showing busy", "possible ", "[ INFO: ", "[ BUG: ", "inconsistent lock", "Kernel Offset: ", "Breaking-Event", "WCHAN", "TASK: ",
	"#0 ", "/memory.", "cgroup.events", "cgroup.freeze", "pressure/memory", "/wchan", "/syscall", "-- Boot", "-- Reboot", " Part",
	"messages dropped", "callbacks suppressed", "# tracer: ", "Dumping ftrace", "ftrace buffer", "cpus=", " [00", " [01",
	"# event histogram", "\n@[", "__CURSOR=", "__REALTIME_TIMESTAMP=", "\"MESSAGE\":[", "\"MESSAGE\" : [", "000] ", "State:",
}

// noiseLines are messages of a busy host that no parser of kernel reports
// wants: in braces what varies (see noise), before the first tab the program
// and how often it speaks.
var noiseLines = strings.Split(strings.TrimSpace(`
6 sshd[{pid}]	Accepted publickey for {user} from {ip} port {port} ssh2: ED25519 SHA256:{b64}
6 sshd[{pid}]	pam_unix(sshd:session): session opened for user {user}(uid={n4}) by (uid=0)
5 sshd[{pid}]	Failed password for invalid user {word} from {ip} port {port} ssh2
5 sshd[{pid}]	Connection closed by authenticating user root {ip} port {port} [preauth]
3 sshd[{pid}]	Received disconnect from {ip} port {port}:11: disconnected by user
1 sshd[{pid}]	reverse mapping checking getaddrinfo for {host}.example.net [{ip}] failed - POSSIBLE BREAK-IN ATTEMPT!
4 systemd[1]	Started Session {n4} of User {user}.
4 systemd[1]	session-{n4}.scope: Deactivated successfully.
3 systemd[1]	Starting Daily apt download activities...
3 systemd[1]	{word}-{word}.service: Consumed {n2}.{n3}s CPU time, {n3}.{n1}M memory peak, 0B memory swap peak.
2 systemd[1]	Finished {word}.service - Rotate log files.
2 systemd-logind[{pid}]	New session {n4} of user {user}.
2 systemd-resolved[{pid}]	Using degraded feature set UDP instead of UDP+EDNS0 for DNS server {ip}.
6 CRON[{pid}]	(root) CMD (   cd / && run-parts --report /etc/cron.hourly)
6 CRON[{pid}]	pam_unix(cron:session): session closed for user root
3 CRON[{pid}]	({user}) CMD (/usr/local/bin/{word}.sh --quiet >/dev/null 2>&1)
8 kubelet[{pid}]	I1123 {time}.{n6}   {pid} reconciler_common.go:{n3}] "operationExecutor.MountVolume started for volume \"kube-api-access-{word}\" (UniqueName: \"kubernetes.io/projected/{uuid}-kube-api-access-{word}\") pod \"{word}-{hex8}-{word}\" (UID: \"{uuid}\") " pod="{word}/{word}-{hex8}"
6 kubelet[{pid}]	E1123 {time}.{n6}   {pid} pod_workers.go:{n4}] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"{word}\" with CrashLoopBackOff: \"back-off 5m0s restarting failed container={word} pod={word}-{hex8}_{word}({uuid})\"" pod="{word}/{word}-{hex8}" podUID="{uuid}"
5 kubelet[{pid}]	I1123 {time}.{n6}   {pid} kubelet.go:{n4}] "SyncLoop (PLEG): event for pod" pod="{word}/{word}-{hex8}" event={"ID":"{uuid}","Type":"ContainerStarted","Data":"{hex64}"}
4 containerd[{pid}]	time="2026-11-23T{time}.{n9}Z" level=info msg="StartContainer for \"{hex64}\" returns successfully"
3 containerd[{pid}]	time="2026-11-23T{time}.{n9}Z" level=warning msg="cleaning up after shim disconnected" id={hex64} namespace=k8s.io
4 dockerd[{pid}]	time="2026-11-23T{time}.{n9}Z" level=info msg="ignoring event" container={hex64} module=libcontainerd namespace=moby topic=/tasks/delete type="*events.TaskDelete"
9 nginx	{ip} - - [23/Nov/2026:{time} +0000] "GET /api/v1/{word}/{n6}?page={n2}&sort={word} HTTP/1.1" 200 {n5} "https://www.example.com/{word}/{word}" "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{n3}.0.0.0 Safari/537.36"
9 nginx	{ip} - {user} [23/Nov/2026:{time} +0000] "POST /{word}/{word}.php HTTP/2.0" 404 {n3} "-" "curl/7.88.1"
4 nginx	2026/11/23 {time} [error] {pid}#{pid}: *{n6} connect() failed (111: Connection refused) while connecting to upstream, client: {ip}, server: {word}.example.com, request: "GET /{word} HTTP/1.1", upstream: "http://{ip}:8080/{word}"
8 java[{pid}]	2026-11-23 {time},{n3} INFO  [http-nio-8080-exec-{n2}] c.e.{word}.{word}Service - request id={uuid} user={user} took {n3} ms
5 java[{pid}]	INFO: Server startup in [{n4}] milliseconds
5 java[{pid}]	2026-11-23 {time},{n3} WARN  [{word}-pool-{n1}-thread-{n2}] o.a.{word}.{word}Client - retrying {word} after {n4} ms: java.net.SocketTimeoutException: Read timed out
2 java[{pid}]	    at com.example.{word}.{word}.{word}Impl.invoke0({word}Impl.java:{n3})
2 java[{pid}]	[{n3}.{n3}s][info][gc] GC({n4}) Pause Young (Normal) (G1 Evacuation Pause) {n3}M->{n2}M(1024M) {n1}.{n3}ms
3 postgres[{pid}]	[{n3}-1] LOG:  checkpoint complete: wrote {n5} buffers ({n1}.{n1}%); 0 WAL file(s) added, 0 removed, {n1} recycled; write={n2}.{n3} s, sync=0.{n3} s, total={n2}.{n3} s; sync files={n2}, longest=0.{n3} s, average=0.{n3} s
3 postfix/smtpd[{pid}]	connect from {host}.example.org[{ip}]
3 postfix/qmgr[{pid}]	{HEX8}: from=<{user}@example.com>, size={n5}, nrcpt=1 (queue active)
2 dhclient[{pid}]	DHCPREQUEST for {ip} on eth0 to {ip} port 67
2 chronyd[{pid}]	Selected source {ip} ({n1}.debian.pool.ntp.org)
2 NetworkManager[{pid}]	<info>  [17{n4}{n4}.{n4}] dhcp4 (eth0): state changed new lease, address={ip}
2 haproxy[{pid}]	{ip}:{port} [23/Nov/2026:{time}.{n3}] http-in~ {word}/{word}{n1} 0/0/1/{n2}/{n2} 200 {n5} - - ---- {n3}/{n3}/{n1}/0/0 0/0 "GET /{word} HTTP/1.1"
1 sudo	{user} : TTY=pts/{n1} ; PWD=/home/{user} ; USER=root ; COMMAND=/usr/bin/{word} --{word}
2 python3[{pid}]	{"ts": "2026-11-23T{time}.{n6}Z", "level": "info", "logger": "{word}.{word}", "msg": "{word} {word} done", "took_ms": {n4}, "trace_id": "{hex32}"}
3 kernel	[{up}] usb 1-{n1}: new high-speed USB device number {n2} using xhci_hcd
2 kernel	[{up}] usb 1-{n1}: New USB device found, idVendor={hex4}, idProduct={hex4}, bcdDevice= {n1}.00
1 kernel	[{up}] usb 1-{n1}: USB disconnect, device number {n2}
2 kernel	[{up}] e1000e 0000:00:1f.6 eth0: NIC Link is Up 1000 Mbps Full Duplex, Flow Control: Rx/Tx
6 kernel	[{up}] [UFW BLOCK] IN=eth0 OUT= MAC={mac}:{mac}:08:00 SRC={ip} DST={ip} LEN={n2} TOS=0x00 PREC=0x00 TTL={n3} ID={n5} DF PROTO=TCP SPT={port} DPT={n4} WINDOW={n5} RES=0x00 SYN URGP=0
6 kernel	[{up}] audit: type=1400 audit(17{n4}{n4}.{n3}:{n5}): apparmor="DENIED" operation="open" class="file" profile="/usr/sbin/{word}" name="/proc/{pid}/status" pid={pid} comm="{word}" requested_mask="r" denied_mask="r" fsuid={n3} ouid=0
3 audit[{pid}]	USER_LOGIN pid={pid} uid=0 auid={n4} ses={n4} msg='op=login id={n4} exe="/usr/sbin/sshd" hostname={ip} addr={ip} terminal=/dev/pts/{n1} res=success'
2 kernel	[{up}] docker0: port {n1}(veth{hex7}) entered blocking state
2 kernel	[{up}] docker0: port {n1}(veth{hex7}) entered forwarding state
1 kernel	[{up}] EXT4-fs (sd{l}1): mounted filesystem with ordered data mode. Opts: (null)
1 kernel	[{up}] TCP: request_sock_TCP: Possible SYN flooding on port {port}. Sending cookies.  Check SNMP counters.
1 kernel	[{up}] sd {n1}:0:0:0: [sd{l}] Attached SCSI disk
1 kernel	[{up}] perf: interrupt took too long ({n4} > {n4}), lowering kernel.perf_event_max_sample_rate to {n5}
`), "\n")

var noiseWords = strings.Fields(`cart checkout payment inventory session gateway proxy worker billing orders search index metrics
	default monitoring prometheus grafana redis kafka ingress coredns calico scheduler backup report user account catalog shipping
	stock notify email render image upload static asset config policy token auth login refresh stream batch queue event audit`)

// noise returns n bytes or a little more of the log of a busy host: always the
// same, whole lines.
func noise(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	var weighted []string
	for _, line := range noiseLines {
		var weight int
		head, text, _ := strings.Cut(line, "\t")
		var program string
		if _, err := fmt.Sscanf(head, "%d %s", &weight, &program); err != nil {
			panic(err)
		}
		for range weight {
			weighted = append(weighted, program+": "+text)
		}
	}
	digits := func(n int) string {
		s := fmt.Sprint(1 + rnd.IntN(9))
		for len(s) < n {
			s += fmt.Sprint(rnd.IntN(10))
		}
		return s
	}
	hex := func(n int) string {
		s := ""
		for len(s) < n {
			s += fmt.Sprintf("%016x", rnd.Uint64())
		}
		return s[:n]
	}
	word := func() string { return noiseWords[rnd.IntN(len(noiseWords))] }
	now := time.Date(2026, time.November, 23, 0, 0, 0, 0, time.UTC)
	vary := func(name string) string {
		switch name {
		case "pid", "n5":
			return digits(5)
		case "port":
			return fmt.Sprint(1024 + rnd.IntN(64000))
		case "user":
			return []string{"root", "deploy", "alice", "bob", "www-data", "postgres", "git"}[rnd.IntN(7)]
		case "ip":
			return fmt.Sprintf("%d.%d.%d.%d", 1+rnd.IntN(223), rnd.IntN(256), rnd.IntN(256), rnd.IntN(256))
		case "host":
			return fmt.Sprintf("%s-%d", word(), rnd.IntN(100))
		case "word":
			return word()
		case "time":
			return now.Format(time.TimeOnly)
		case "up":
			return fmt.Sprintf("%5d.%06d", now.Unix()%1e6, rnd.IntN(1e6))
		case "b64":
			return strings.NewReplacer("0", "Qz", "1", "x+", "2", "/W", "3", "mK", "4", "tR").Replace(hex(30))
		case "uuid":
			return fmt.Sprintf("%s-%s-%s-%s-%s", hex(8), hex(4), hex(4), hex(4), hex(12))
		case "mac":
			return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", rnd.IntN(256), rnd.IntN(256), rnd.IntN(256), rnd.IntN(256), rnd.IntN(256), rnd.IntN(256))
		case "l":
			return string(rune('a' + rnd.IntN(6)))
		case "HEX8":
			return strings.ToUpper(hex(8))
		}
		var n int
		if _, err := fmt.Sscanf(name, "n%d", &n); err == nil {
			return digits(n)
		}
		if _, err := fmt.Sscanf(name, "hex%d", &n); err == nil {
			return hex(n)
		}
		return "{" + name + "}" // JSON
	}
	var out bytes.Buffer
	iso := false
	for out.Len() < n {
		now = now.Add(time.Duration(rnd.IntN(200)) * time.Millisecond)
		if rnd.IntN(2000) == 0 {
			iso = !iso // as if another file began
		}
		if iso {
			out.WriteString(now.Format("2006-01-02T15:04:05.000000-07:00"))
		} else {
			out.WriteString(now.Format(time.Stamp))
		}
		out.WriteString(" web-07 ")
		line := weighted[rnd.IntN(len(weighted))]
		for {
			before, rest, ok := strings.Cut(line, "{")
			out.WriteString(before)
			if !ok {
				break
			}
			name, after, _ := strings.Cut(rest, "}")
			if strings.HasPrefix(name, "\"") { // JSON
				out.WriteString("{")
				line = rest
				continue
			}
			out.WriteString(vary(name))
			line = after
		}
		out.WriteByte('\n')
	}
	return out.Bytes()
}
