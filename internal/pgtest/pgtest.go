// Package pgtest starts a real PostgreSQL server for a test from the binaries of the system's package. Only tests import it.
package pgtest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// A Server is one cluster in a folder of its own, listening on the loopback address.
type Server struct {
	DSN string // connection string
	bin string
	dir string
	as  *syscall.Credential // nil: as ourselves; PostgreSQL refuses to run as root
}

// Start makes a cluster and starts it; it is removed when the test ends. The test is skipped where PostgreSQL is not installed.
func Start(t testing.TB) *Server {
	t.Helper()
	bin := find()
	if bin == "" {
		t.Skip("PostgreSQL is not installed: apt-get install postgresql")
	}
	dir, err := os.MkdirTemp("/tmp", "pgtest") // short: a socket's path has at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &Server{bin: bin, dir: dir}
	if os.Getuid() == 0 {
		s.as = account(t)
		if err := os.Chown(dir, int(s.as.Uid), int(s.as.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	s.command(t, "initdb", "-D", filepath.Join(dir, "data"), "-U", "syncabel", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
	port := freePort(t)
	s.DSN = fmt.Sprintf("postgres://syncabel@127.0.0.1:%d/postgres?sslmode=disable", port)
	conf := fmt.Sprintf("port = %d\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '%s'\nmax_connections = 50\nshared_buffers = 16MB\n", port, dir)
	f, err := os.OpenFile(filepath.Join(dir, "data", "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(conf)
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.Up(t)
	t.Cleanup(func() { s.ctl("stop", "-m", "immediate") })
	return s
}

// Up starts the server.
func (s *Server) Up(t testing.TB) {
	t.Helper()
	if out, err := s.ctl("start", "-w", "-l", filepath.Join(s.dir, "log")); err != nil {
		t.Fatalf("starting PostgreSQL: %v\n%s", err, out)
	}
}

// Crash ends the server without a checkpoint, as a power cut does; Up recovers it from its log.
func (s *Server) Crash(t testing.TB) {
	t.Helper()
	if out, err := s.ctl("stop", "-m", "immediate"); err != nil {
		t.Fatalf("stopping PostgreSQL: %v\n%s", err, out)
	}
}

func (s *Server) ctl(args ...string) ([]byte, error) {
	return s.prepare("pg_ctl", append([]string{"-D", filepath.Join(s.dir, "data"), "-s"}, args...)...).CombinedOutput()
}

func (s *Server) command(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := s.prepare(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func (s *Server) prepare(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir = s.dir
	if s.as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as}
	}
	return cmd
}

// find returns the folder of the server's binaries.
func find() string {
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p)
	}
	list, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(list) == 0 {
		return ""
	}
	return filepath.Dir(list[len(list)-1])
}

// account is an unprivileged user to run as.
func account(t testing.TB) *syscall.Credential {
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.Atoi(u.Uid)
			gid, _ := strconv.Atoi(u.Gid)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		}
	}
	t.Skip("PostgreSQL does not run as root and there is no user postgres or nobody")
	return nil
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}
