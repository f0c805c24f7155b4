// Written by syncabel: one task answers one shard of the plan. Run with: nextflow run main.nf -resume
// Paths in the commands are absolute or on a file system that every node sees.
nextflow.enable.dsl = 2

process SYNTH {
    tag "shard ${shard}"
    maxForks 16
    cpus 2
    memory '8 GB'
    time '4h'
    accelerator 1
    container 'syncabel:latest'
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
    setsid bash -c 'exec vllm serve /data/70b --host 127.0.0.1 --port \$PORT' &
    engine=\$!
    trap 'kill -TERM -- \"-\$engine\" 2>/dev/null || true' EXIT
    for _ in \$(seq 1 360); do
      curl -sf \"http://127.0.0.1:\$PORT/health\" >/dev/null && break
      kill -0 \"\$engine\" 2>/dev/null || { echo \"the engine ended before it was ready\" >&2; exit 75; }
      sleep 5
    done
    syncabel synth run --in-flight 256 --plan /data/shards.json --out /data/parts --threads ${task.cpus} --shard ${shard}/16 --endpoint "http://127.0.0.1:\$PORT/v1"
    """
}

process MERGE {
    container 'syncabel:latest'

    input:
    val shards

    output:
    stdout

    script:
    """
    syncabel shard merge --plan /data/shards.json --parts /data/parts /data/synth/journal.jsonl
    """
}

workflow {
    SYNTH(Channel.of(0..15))
    MERGE(SYNTH.out.collect())
}
