// Package loopback tells this machine from others.
package loopback

import "net"

// Is tells whether host is this machine and nothing else. A name but localhost
// could be made to resolve to anything.
func Is(host string) bool {
	if host == "" || host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
