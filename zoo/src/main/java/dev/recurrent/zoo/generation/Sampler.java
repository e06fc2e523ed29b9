package dev.recurrent.zoo.generation;

import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.PriorityQueue;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * Chooses the next token of one text: the most probable at temperature 0; else a seeded draw after
 * repetition penalty, temperature, top-k and top-p, in this order, each as transformers defines it.
 *
 * <p>{@link dev.recurrent.blocks.kernel.SamplingKernel} draws alike. This one runs on the CPU and
 * has a generator of its own, so what it draws depends on nothing but the logits and the
 * configuration.
 */
public final class Sampler {

    private final GenerationConfig config;
    private final SplittableRandom random;
    private final BitSet seen = new BitSet();

    /**
     * Constructs a sampler for one text.
     *
     * @param config temperature, top-k, top-p, repetition penalty and seed
     */
    public Sampler(GenerationConfig config) {
        this.config = config;
        random = new SplittableRandom(config.seed());
    }

    /**
     * Tells of tokens in the text, for the repetition penalty: the prompt's, and each generated
     * one.
     *
     * @param ids tokens
     */
    public void see(long... ids) {
        if (config.repetitionPenalty() != 1) {
            for (long id : ids) {
                seen.set(Math.toIntExact(id));
            }
        }
    }

    /**
     * Chooses a token.
     *
     * @param logits one for each id; the repetition penalty changes them in place
     * @return the id chosen, the lowest of equals at temperature 0
     * @throws IllegalStateException if a logit is NaN or +∞, or none is finite
     */
    public long next(float[] logits) {
        seen.stream().forEach(id -> logits[id] = penalized(logits[id]));
        int best = argmax(logits);
        if (config.temperature() == 0) {
            return best;
        }
        double[] weights = weights(logits, logits[best]);
        return config.topP() < 1 ? draw(weights, nucleus(weights)) : draw(weights, null);
    }

    private float penalized(float logit) {
        double penalty = config.repetitionPenalty();
        return (float) (logit < 0 ? logit * penalty : logit / penalty);
    }

    private static int argmax(float[] logits) {
        int best = 0;
        for (int i = 0; i < logits.length; i++) {
            if (!(logits[i] < Float.POSITIVE_INFINITY)) {
                throw new IllegalStateException("The model's logit " + i + " is " + logits[i]);
            }
            if (logits[i] > logits[best]) {
                best = i;
            }
        }
        if (logits[best] == Float.NEGATIVE_INFINITY) {
            throw new IllegalStateException("All of the model's logits are -Infinity");
        }
        return best;
    }

    /** Returns probabilities after temperature and top-k, not normalised. */
    private double[] weights(float[] logits, float greatest) {
        float least = leastOfTopK(logits);
        double[] weights = new double[logits.length];
        for (int i = 0; i < weights.length; i++) {
            // Tokens equal to the k-th are kept, as transformers keeps them.
            if (logits[i] >= least) {
                weights[i] = Math.exp(((double) logits[i] - greatest) / config.temperature());
            }
        }
        return weights;
    }

    private float leastOfTopK(float[] logits) {
        int k = config.topK();
        if (k == 0 || k >= logits.length) {
            return Float.NEGATIVE_INFINITY;
        }
        PriorityQueue<Float> top = new PriorityQueue<>(k);
        float least = Float.NEGATIVE_INFINITY;
        for (float logit : logits) {
            if (top.size() == k) {
                if (logit <= least) {
                    continue;
                }
                top.poll();
            }
            top.add(logit);
            least = top.peek();
        }
        return least;
    }

    /** Returns the fewest tokens whose weights reach top-p of the sum, the greatest first. */
    private int[] nucleus(double[] weights) {
        double sum = Arrays.stream(weights).sum();
        // All weights below this bound together are less than what top-p leaves out.
        double bound = (1 - config.topP()) * sum / weights.length;
        int[] order =
                IntStream.range(0, weights.length)
                        .filter(id -> weights[id] >= bound)
                        .boxed()
                        .sorted(Comparator.comparingDouble((Integer id) -> -weights[id]))
                        .mapToInt(Integer::intValue)
                        .toArray();
        double reached = 0;
        int size = 0;
        while (size < order.length && (size == 0 || reached < config.topP() * sum)) {
            reached += weights[order[size++]];
        }
        int[] nucleus = Arrays.copyOf(order, size);
        // In the order of ids, as all draws are, on every device.
        Arrays.sort(nucleus);
        return nucleus;
    }

    /** Draws among the ids given, or among all. */
    private int draw(double[] weights, int[] ids) {
        int count = ids == null ? weights.length : ids.length;
        double sum = 0;
        for (int i = 0; i < count; i++) {
            sum += weights[ids == null ? i : ids[i]];
        }
        double rest = random.nextDouble() * sum;
        int drawn = -1;
        for (int i = 0; i < count; i++) {
            int id = ids == null ? i : ids[i];
            if (weights[id] > 0) {
                drawn = id;
                rest -= weights[id];
                if (rest < 0) {
                    break;
                }
            }
        }
        return drawn;
    }
}
