package dev.recurrent.training.lora;

import dev.recurrent.training.parameter.ParameterPatterns;
import java.util.List;

/**
 * Which projections of a model get adapters, and how large they are.
 *
 * @param rank r, the inner dimension of an adapter
 * @param alpha α; an adapter's update is multiplied by α/r
 * @param targets patterns of the paths of projections or of their weights, as in {@link
 *     ParameterPatterns}, such as {@code **.q_proj} or {@code layers.*.mlp}; what else a pattern
 *     matches gets no adapter
 */
public record LoraConfig(int rank, double alpha, List<String> targets) {

    /** Every projection but the head, which PEFT calls all-linear. */
    public static final String ALL_LAYERS = "layers.**";

    /** Checks the values. */
    public LoraConfig {
        if (rank < 1) {
            throw new IllegalArgumentException("LoRA's rank must be >= 1, not " + rank);
        }
        if (!(alpha > 0 && alpha < Double.POSITIVE_INFINITY)) {
            throw new IllegalArgumentException(
                    "LoRA's alpha must be a finite number > 0, not " + alpha);
        }
        if (targets.isEmpty()) {
            throw new IllegalArgumentException(
                    "LoRA needs a pattern of projections, such as " + ALL_LAYERS);
        }
        targets = List.copyOf(targets);
    }

    /** Adapters on every projection of every layer. */
    public static LoraConfig allLayers(int rank, double alpha) {
        return new LoraConfig(rank, alpha, List.of(ALL_LAYERS));
    }

    /** Returns α/r. */
    public double scale() {
        return alpha / rank;
    }
}
