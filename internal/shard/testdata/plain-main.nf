// Written by syncabel: one task answers one shard of the plan. Run with: nextflow run main.nf -resume
// Paths in the commands are absolute or on a file system that every node sees.
nextflow.enable.dsl = 2

process LINK {
    tag "shard ${shard}"
    maxForks 32
    cpus 2
    memory '8 GB'
    time '4h'
    container 'syncabel:latest'
    errorStrategy { task.exitStatus == 42 ? 'terminate' : 'retry' }
    maxRetries 6

    input:
    val shard

    output:
    val shard

    script:
    """
    syncabel link --run /data/run --plan /data/plan.json --out /data/parts --threads ${task.cpus} --shard ${shard}/64
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
    syncabel shard merge --plan /data/plan.json --parts /data/parts /data/linked.jsonl
    """
}

workflow {
    LINK(Channel.of(0..63))
    MERGE(LINK.out.collect())
}
