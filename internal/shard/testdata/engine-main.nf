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
    syncabel link --run '/data/it'\\''s \$HOME' --plan /data/plan.json --out /data/parts --threads ${task.cpus} --shard ${shard}/512
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
