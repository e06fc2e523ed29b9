package dev.recurrent.evaluation.score;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.index.NDIndex;
import ai.djl.ndarray.types.Shape;
import dev.recurrent.blocks.torch.TensorScope;
import dev.recurrent.zoo.generation.Session;
import java.util.ArrayList;
import java.util.List;

/**
 * Likelihoods of targets from hidden values: logits exist for some of the targets at a time, so
 * that a large vocabulary does not fill the memory.
 */
final class TargetScorer {

    /** Logits that exist at the same time: 128 MiB. */
    static final long LOGITS = 1L << 25;

    private record Wanted(int index, Scores scores, int target) {}

    private final Session session;
    private final int most;
    private final List<Wanted> wanted = new ArrayList<>();

    /**
     * Constructs a scorer.
     *
     * @param session whose hidden values will be given
     * @param vocabulary of its model
     */
    TargetScorer(Session session, long vocabulary) {
        this.session = session;
        most = (int) Math.max(1, LOGITS / vocabulary);
    }

    /**
     * Asks for a target.
     *
     * @param index of the row of the hidden values before it
     * @param scores where its likelihood belongs
     * @param target its index there
     */
    void want(int index, Scores scores, int target) {
        wanted.add(new Wanted(index, scores, target));
    }

    /**
     * Scores all targets asked for since the last call.
     *
     * @param hidden [N, D]
     * @throws ArithmeticException if a likelihood is not finite
     */
    void score(NDArray hidden) {
        for (int from = 0; from < wanted.size(); from += most) {
            List<Wanted> part = wanted.subList(from, Math.min(from + most, wanted.size()));
            try (TensorScope scope = new TensorScope()) {
                NDArray rows =
                        hidden.getManager()
                                .create(part.stream().mapToLong(Wanted::index).toArray()); // [n]
                NDArray asked = hidden.get(new NDIndex("{}", rows)); // [n, D]
                write(scope.adopt(session.logits(asked)), part); // [n, vocabulary]
            }
        }
        wanted.clear();
    }

    /** Puts the tokens of all rows below each other: [B, T, D] to [B·T, D]. */
    static NDArray flat(NDArray hidden) {
        return hidden.reshape(-1, hidden.getShape().get(2)); // [B·T, D]
    }

    private static void write(NDArray logits, List<Wanted> part) {
        long[] targets =
                part.stream().mapToLong(want -> want.scores.targets()[want.target]).toArray();
        NDArray columns =
                logits.getManager().create(targets, new Shape(targets.length, 1)); // [n, 1]
        float[] values = logits.logSoftmax(-1).gather(columns, 1).toFloatArray();
        long[] predictions = logits.argMax(-1).toLongArray();
        for (int i = 0; i < values.length; i++) {
            if (!Float.isFinite(values[i])) {
                throw new ArithmeticException(
                        "The model gives token " + targets[i] + " the log-likelihood " + values[i]);
            }
            Wanted want = part.get(i);
            want.scores.logLikelihoods()[want.target] = values[i];
            want.scores.predictions()[want.target] = predictions[i];
        }
    }
}
