package dev.recurrent.zoo.generation;

import java.util.List;
import java.util.Set;

/**
 * How a prompt is continued.
 *
 * @param maxNewTokens after how many tokens to stop at the latest
 * @param temperature what logits are divided by; 0 takes the most probable token (greedy)
 * @param topK draw among the k most probable tokens only; 0 for all
 * @param topP draw among the fewest most probable tokens whose probabilities reach p; 1 for all
 * @param repetitionPenalty what the logits of tokens already there are divided by, if positive, or
 *     multiplied by (arXiv 1909.05858, section 4.1, as transformers signs it); 1 for none
 * @param seed where the random draws start
 * @param stopStrings texts before which to cut and stop
 * @param stopIds tokens that stop, beside the tokenizer's ends of text
 * @param ignoreEndOfText whether the tokenizer's ends of text do not stop
 * @param prefillChunk how many prompt tokens are consumed at a time
 */
public record GenerationConfig(
        int maxNewTokens,
        double temperature,
        int topK,
        double topP,
        double repetitionPenalty,
        long seed,
        List<String> stopStrings,
        Set<Long> stopIds,
        boolean ignoreEndOfText,
        int prefillChunk) {

    /** Greedy continuation by up to 128 tokens. */
    public static final GenerationConfig DEFAULT = builder().build();

    /** Checks the values. */
    public GenerationConfig {
        check(maxNewTokens >= 1, "maxNewTokens must be >= 1", maxNewTokens);
        check(
                temperature >= 0 && temperature < Double.POSITIVE_INFINITY,
                "temperature must be finite and >= 0",
                temperature);
        check(topK >= 0, "topK must be >= 0", topK);
        check(topP > 0 && topP <= 1, "topP must be in (0, 1]", topP);
        check(
                repetitionPenalty > 0 && repetitionPenalty < Double.POSITIVE_INFINITY,
                "repetitionPenalty must be finite and > 0",
                repetitionPenalty);
        check(prefillChunk >= 1, "prefillChunk must be >= 1", prefillChunk);
        stopStrings = List.copyOf(stopStrings);
        stopIds = Set.copyOf(stopIds);
        check(
                stopStrings.stream().noneMatch(String::isEmpty),
                "stopStrings must not be empty",
                stopStrings);
    }

    private static void check(boolean holds, String rule, Object value) {
        if (!holds) {
            throw new IllegalArgumentException(rule + ", not " + value);
        }
    }

    /** Starts from the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** Starts from these values. */
    public Builder toBuilder() {
        return new Builder(this);
    }

    /** Builds a configuration. */
    public static final class Builder {

        private int maxNewTokens = 128;
        private double temperature;
        private int topK;
        private double topP = 1;
        private double repetitionPenalty = 1;
        private long seed;
        private List<String> stopStrings = List.of();
        private Set<Long> stopIds = Set.of();
        private boolean ignoreEndOfText;
        private int prefillChunk = 2048;

        private Builder() {}

        private Builder(GenerationConfig config) {
            maxNewTokens = config.maxNewTokens;
            temperature = config.temperature;
            topK = config.topK;
            topP = config.topP;
            repetitionPenalty = config.repetitionPenalty;
            seed = config.seed;
            stopStrings = config.stopStrings;
            stopIds = config.stopIds;
            ignoreEndOfText = config.ignoreEndOfText;
            prefillChunk = config.prefillChunk;
        }

        /** Sets after how many tokens to stop; 128 by default. */
        public Builder optMaxNewTokens(int value) {
            maxNewTokens = value;
            return this;
        }

        /** Sets the temperature; 0, greedy, by default. */
        public Builder optTemperature(double value) {
            temperature = value;
            return this;
        }

        /** Sets among how many tokens to draw; 0, all, by default. */
        public Builder optTopK(int value) {
            topK = value;
            return this;
        }

        /** Sets the probability that the tokens to draw from reach; 1, all, by default. */
        public Builder optTopP(double value) {
            topP = value;
            return this;
        }

        /** Sets the penalty of repeated tokens; 1, none, by default. */
        public Builder optRepetitionPenalty(double value) {
            repetitionPenalty = value;
            return this;
        }

        /** Sets the seed; 0 by default, so that runs repeat. */
        public Builder optSeed(long value) {
            seed = value;
            return this;
        }

        /** Sets the texts before which to stop; none by default. */
        public Builder optStopStrings(List<String> values) {
            stopStrings = values;
            return this;
        }

        /** Sets the tokens that stop beside the tokenizer's own; none by default. */
        public Builder optStopIds(Set<Long> values) {
            stopIds = values;
            return this;
        }

        /** Sets whether to go on after the tokenizer's ends of text; false by default. */
        public Builder optIgnoreEndOfText(boolean value) {
            ignoreEndOfText = value;
            return this;
        }

        /** Sets how many prompt tokens are consumed at a time; 2048 by default. */
        public Builder optPrefillChunk(int value) {
            prefillChunk = value;
            return this;
        }

        /**
         * Builds the configuration.
         *
         * @throws IllegalArgumentException if a value is out of its range
         */
        public GenerationConfig build() {
            return new GenerationConfig(
                    maxNewTokens,
                    temperature,
                    topK,
                    topP,
                    repetitionPenalty,
                    seed,
                    stopStrings,
                    stopIds,
                    ignoreEndOfText,
                    prefillChunk);
        }
    }
}
