package loopback

import "testing"

func TestIs(t *testing.T) {
	for host, want := range map[string]bool{
		"": true, "localhost": true, "127.0.0.1": true, "127.8.8.8": true, "::1": true,
		"0.0.0.0": false, "::": false, "10.0.0.1": false, "localhost.evil.example": false,
	} {
		if got := Is(host); got != want {
			t.Errorf("Is(%q) = %v", host, got)
		}
	}
}
