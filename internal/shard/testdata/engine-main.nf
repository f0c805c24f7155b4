// Written by syncabel: one task answers one shard of the plan. Run with: nextflow run main.nf -resume
// Paths in the commands are absolute or on a file system that every node sees.
nextflow.enable.dsl = 2

process LINK {
    tag "shard ${shard}"
    maxForks 8
    cpus 8
    memory '64 GB'
    time '12h'
    accelerator 1
    container 'registry.example/syncabel:1'
    errorStrategy { task.exitStatus == 42 ? 'terminate' : 'retry' }
    maxRetries 6

    input:
    val shard

    output:
    val shard

    script:
    """
    PORT=\$(python3 -c 'import socket; s = socket.socket(); s.bind((\"127.0.0.1\", 0)); print(s.getsockname()[1])')
    export PORT
    # The engine has a process group of its own, so that its children end with it.
    setsid bash -c 'exec python3 -m sglang.launch_server --model-path /data/8b --host 127.0.0.1 --port \$PORT' &
    engine=\$!
    trap 'kill -TERM -- \"-\$engine\" 2>/dev/null || true' EXIT
    for _ in \$(seq 1 360); do
      curl -sf \"http://127.0.0.1:\$PORT/health\" >/dev/null && break
      kill -0 \"\$engine\" 2>/dev/null || { echo \"the engine ended before it was ready\" >&2; exit 75; }
      sleep 5
    done
    syncabel link --run '/data/it'\\''s \$HOME' --plan /data/plan.json --out /data/parts --threads ${task.cpus} --shard ${shard}/512 --oracle "http://127.0.0.1:\$PORT"
    """
}

process MERGE {
    container 'registry.example/syncabel:1'

    input:
    val shards

    output:
    stdout

    script:
    """
    syncabel shard merge --plan /data/plan.json --parts /data/parts /data/linked.jsonl
    """
}

workflow {
    LINK(Channel.of(0..511))
    MERGE(LINK.out.collect())
}
