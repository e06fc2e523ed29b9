package dev.recurrent.evaluation.cli;

import ai.djl.MalformedModelException;
import dev.recurrent.evaluation.catalog.Tasks;
import dev.recurrent.evaluation.run.Evaluation;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.zoo.ModelReference;
import dev.recurrent.zoo.preset.Preset;
import dev.recurrent.zoo.preset.Presets;
import java.io.IOException;
import java.util.List;

/**
 * What is measured where neither models nor tasks are named: the models in the jar, those trained
 * on plays by a play in the jar, those trained on MQAR by MQAR.
 */
final class BundledEvaluation {

    private static final int[] LENGTHS = {64, 128, 256};
    private static final long EXAMPLES = 100;

    private BundledEvaluation() {}

    static List<ModelReference> textModels() {
        return models(Preset.TINY);
    }

    static List<ModelReference> recallModels() {
        return models(Preset.RECALL_BYTES);
    }

    private static List<ModelReference> models(String size) {
        return Presets.all().stream()
                .filter(preset -> preset.size().equals(size))
                .map(preset -> ModelReference.of(preset.artifactId() + ":" + size))
                .toList();
    }

    /** Adds all models and tasks. */
    static void addTo(Evaluation evaluation, TaskOptions options)
            throws IOException, MalformedModelException {
        for (ModelReference model : textModels()) {
            evaluation.add(model, Tasks.create("perplexity", options), 0);
        }
        TaskOptions recall = options.limit() == 0 ? options.withLimit(EXAMPLES) : options;
        for (ModelReference model : recallModels()) {
            for (int length : LENGTHS) {
                evaluation.add(model, Tasks.create("mqar", recall.withLength(length)), length);
            }
        }
    }
}
