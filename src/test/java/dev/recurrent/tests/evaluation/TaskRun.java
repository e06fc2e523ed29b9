package dev.recurrent.tests.evaluation;

import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.task.Estimate;
import dev.recurrent.evaluation.task.Outcome;
import dev.recurrent.evaluation.task.Progress;
import dev.recurrent.evaluation.task.Tally;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.TaskRunner;
import dev.recurrent.evaluation.task.Traits;
import dev.recurrent.zoo.text.Tokenizer;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** What a task made of a model. */
record TaskRun(Tally tally, List<Outcome> outcomes) {

    static TaskRun of(
            Task task, LanguageModel model, Tokenizer tokenizer, NDManager manager, int batch)
            throws IOException {
        Traits traits = new Traits("model", tokenizer, model.config().vocabulary());
        List<Outcome> outcomes = new ArrayList<>();
        Tally tally =
                new TaskRunner(task, 0)
                        .run(
                                task.fit(traits),
                                new Scorer(model, tokenizer, manager, batch),
                                outcomes::add,
                                Progress.NONE);
        return new TaskRun(tally, outcomes);
    }

    List<Map<String, Object>> samples() {
        return outcomes.stream().map(Outcome::sample).toList();
    }

    double value(String metric) {
        return tally.wholes().stream()
                .filter(estimate -> estimate.metric().name().equals(metric))
                .findFirst()
                .orElseThrow()
                .value();
    }

    /** The metric of each part, by bucket's label. */
    Map<String, Double> parts(String axis) {
        return tally.parts().stream()
                .filter(estimate -> estimate.bucket().axis().equals(axis))
                .collect(Collectors.toMap(part -> part.bucket().label(), Estimate::value));
    }

    Map<String, Object> sample(int index) {
        return outcomes.get(index).sample();
    }

    @SuppressWarnings("unchecked")
    List<String> strings(int index, String key) {
        return (List<String>) sample(index).get(key);
    }

    @SuppressWarnings("unchecked")
    List<Double> logLikelihoods(int index) {
        return (List<Double>) sample(index).get("log_likelihoods");
    }
}
