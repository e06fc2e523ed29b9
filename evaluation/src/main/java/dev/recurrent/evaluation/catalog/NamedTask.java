package dev.recurrent.evaluation.catalog;

import dev.recurrent.evaluation.task.Documents;
import dev.recurrent.evaluation.task.Metric;
import dev.recurrent.evaluation.task.Observation;
import dev.recurrent.evaluation.task.Outcome;
import dev.recurrent.evaluation.task.Task;
import dev.recurrent.evaluation.task.Traits;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * A task under a name that the user chose, measuring what the user wants of it.
 *
 * @param name the name
 * @param metrics some of the task's
 * @param task what is asked
 */
record NamedTask(String name, List<Metric> metrics, Task task) implements Task {

    /** Copies the list. */
    NamedTask {
        metrics = List.copyOf(metrics);
    }

    @Override
    public Documents documents() {
        return task.documents();
    }

    @Override
    public Questions fit(Traits traits) {
        Questions questions = task.fit(traits);
        Set<String> wanted = metrics.stream().map(Metric::name).collect(Collectors.toSet());
        return (scorer, documents) ->
                questions.ask(scorer, documents).stream()
                        .map(outcome -> restricted(outcome, wanted))
                        .toList();
    }

    private static Outcome restricted(Outcome outcome, Set<String> wanted) {
        List<Observation> observations =
                outcome.observations().stream()
                        .filter(observation -> wanted.contains(observation.metric()))
                        .toList();
        return new Outcome(
                outcome.document(),
                observations,
                outcome.tokens(),
                outcome.stateBytes(),
                outcome.sample());
    }
}
