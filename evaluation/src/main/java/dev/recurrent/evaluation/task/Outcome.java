package dev.recurrent.evaluation.task;

import java.io.Serializable;
import java.util.List;
import java.util.Map;

/**
 * What a task found out about a model from one document.
 *
 * @param document the document's index
 * @param observations what it adds to the metrics
 * @param tokens how many tokens went through the model
 * @param stateBytes the largest state of one sequence; 0 where none was looked at
 * @param sample what was asked and answered, for people: JSON values by name
 */
public record Outcome(
        long document,
        List<Observation> observations,
        long tokens,
        long stateBytes,
        Map<String, Object> sample)
        implements Serializable {

    /** Copies the list. */
    public Outcome {
        observations = List.copyOf(observations);
    }
}
