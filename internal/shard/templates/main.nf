// Written by syncabel: one task answers one shard of the plan. Run with: nextflow run main.nf -resume
// Paths in the commands are absolute or on a file system that every node sees.
nextflow.enable.dsl = 2

process {{upper .Verb}} {
    tag "shard ${shard}"
    maxForks {{.Parallel}}
    cpus {{.CPUs}}
    memory '{{.Memory}} GB'
    time '{{.Hours}}h'
{{- if .GPUs}}
    accelerator {{.GPUs}}
{{- end}}
    container '{{.Image}}'
    errorStrategy { task.exitStatus == 42 ? 'terminate' : 'retry' }
    maxRetries 6

    input:
    val shard

    output:
    val shard

    script:
    """
{{- if .Engine}}
{{indent (groovy (render "engine"))}}
{{- end}}
    {{groovy (sh .Command)}} --threads ${task.cpus} --shard ${shard}/{{.Shards}}{{if .Engine}} {{.AskFlag}} "http://127.0.0.1:\$PORT{{.AskPath}}"{{end}}
    """
}

process MERGE {
    container '{{.Image}}'

    input:
    val shards

    output:
    stdout

    script:
    """
    {{groovy (sh .MergeCommand)}}
    """
}

workflow {
    {{upper .Verb}}(Channel.of(0..{{sub .Shards 1}}))
    MERGE({{upper .Verb}}.out.collect())
}
