// Written by syncabel: one task answers one shard of the plan. Run with: nextflow run main.nf -resume
// Paths in the commands are absolute or on a file system that every node sees.
nextflow.enable.dsl = 2

process JUDGE {
    tag "shard ${shard}"
    maxForks 2
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
    syncabel judge run --kb /data/kb --model m --blind --endpoint http://llm:8000/v1 --plan /data/shards.json --out /data/parts --threads ${task.cpus} --shard ${shard}/8
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
    syncabel shard merge --plan /data/shards.json --parts /data/parts /data/judged/journal.jsonl
    """
}

workflow {
    JUDGE(Channel.of(0..7))
    MERGE(JUDGE.out.collect())
}
