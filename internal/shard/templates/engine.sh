{{define "engine" -}}
PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export PORT
# The engine has a process group of its own, so that its children end with it.
setsid bash -c {{sh .EngineCommand}} &
engine=$!
trap 'kill -TERM -- "-$engine" 2>/dev/null || true' EXIT
for _ in $(seq 1 360); do
  curl -sf "http://127.0.0.1:$PORT/health" >/dev/null && break
  kill -0 "$engine" 2>/dev/null || { echo "the engine ended before it was ready" >&2; exit 75; }
  sleep 5
done
{{- end}}
