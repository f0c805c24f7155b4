package llm

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// A Secret is an API key. It prints and marshals as "[secret]"; only the transport sees the value.
type Secret struct{ value string }

const redacted = "[secret]"

// String hides the value.
func (Secret) String() string { return redacted }

// Format hides the value from every verb of fmt, %#v and %x included.
func (Secret) Format(f fmt.State, _ rune) { io.WriteString(f, redacted) }

// MarshalText hides the value from JSON and TOML.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Set reports whether there is a value.
func (s Secret) Set() bool { return s.value != "" }

// scrub removes the value from text that came from elsewhere.
func (s Secret) scrub(text string) string {
	if s.value == "" {
		return text
	}
	return strings.ReplaceAll(text, s.value, redacted)
}

// maxSecret bounds a key file.
const maxSecret = 64 << 10

// ReadSecret takes a key from an environment variable or from a file, whichever is named; naming neither gives no key. Keys
// are never arguments: other users of a machine can read those.
func ReadSecret(env, file string) (Secret, error) {
	var value string
	switch {
	case env != "" && file != "":
		return Secret{}, fmt.Errorf("reading API key: both the variable %s and the file %s are named: name one", env, file)
	case env != "":
		if value = os.Getenv(env); value == "" {
			return Secret{}, fmt.Errorf("reading API key: the environment variable %s is not set", env)
		}
	case file != "":
		f, err := os.Open(file)
		if err != nil {
			return Secret{}, fmt.Errorf("reading API key: %w", err)
		}
		defer f.Close()
		b, err := io.ReadAll(io.LimitReader(f, maxSecret))
		if err != nil {
			return Secret{}, fmt.Errorf("reading API key from %s: %w", file, err)
		}
		value = string(b)
	default:
		return Secret{}, nil
	}
	value = strings.TrimSpace(value)
	if value == "" || strings.ContainsAny(value, "\r\n\x00") {
		return Secret{}, fmt.Errorf("reading API key from %s%s: one line is expected", env, file)
	}
	return Secret{value}, nil
}

// Bearer puts the value, if there is one, into the header that servers of models take keys from.
func (s Secret) Bearer(h http.Header) {
	if s.value != "" {
		h.Set("Authorization", "Bearer "+s.value)
	}
}
