package dev.recurrent.evaluation.task.recall;

import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.task.TaskOptions;
import dev.recurrent.evaluation.task.TaskType;
import dev.recurrent.training.data.InductionHeads;
import dev.recurrent.training.data.Mqar;
import dev.recurrent.training.data.SelectiveCopying;
import dev.recurrent.training.data.SyntheticTask;

/** The recall tasks of token ids: their sizes, and what draws their examples. */
public enum RecallKind {

    /**
     * Multi-query associative recall (arXiv 2312.04927; {@code multiquery_ar} of zoology): 4, 8, 16
     * and 64 pairs at lengths 64, 128, 256 and 512, otherwise one in 16 tokens. It has zoology's
     * vocabulary of 8192 where the model knows as many ids, else the model's.
     */
    MQAR("mqar", "recall of the values of keys, all asked for (MQAR), by gap", 64, 16, 3000) {

        @Override
        void check(int length) {
            super.check(length);
            if (length % 2 != 0) {
                throw new InvalidInputException(
                        "Task " + taskName() + " needs an even length, not " + length);
            }
        }

        @Override
        SyntheticTask draw(int length, long vocabulary) {
            return new Mqar(length, pairs(length), Math.min(ZOOLOGY, vocabulary));
        }

        @Override
        long leastVocabulary(int length) {
            // Keys are 1 to V/2 − 1.
            return 2L * (pairs(length) + 1);
        }

        private int pairs(int length) {
            return length == 512 ? 64 : length / 16;
        }
    },

    /** Selective copying (arXiv 2312.00752, section 4.1.1; arXiv 2402.19427, section 6.2). */
    SELECTIVE_COPYING(
            "selective_copying",
            "16 tokens among noise, asked for in their order at the end",
            1024,
            32,
            200) {

        @Override
        SyntheticTask draw(int length, long vocabulary) {
            return new SelectiveCopying(length);
        }

        @Override
        boolean hasGaps() {
            return false;
        }
    },

    /** Induction heads (arXiv 2312.00752, section 4.1.2; arXiv 2402.19427, section 6.2). */
    INDUCTION_HEADS(
            "induction_heads", "the token that once followed a special one, by gap", 256, 3, 500) {

        @Override
        SyntheticTask draw(int length, long vocabulary) {
            return new InductionHeads(length);
        }
    };

    private static final long ZOOLOGY = 8192;

    private final TaskType type;
    private final int length;
    private final int least;
    private final long examples;

    RecallKind(String name, String summary, int length, int least, long examples) {
        type = new TaskType(name, summary, true, this::create);
        this.length = length;
        this.least = least;
        this.examples = examples;
    }

    /** Returns the task among the others. */
    public TaskType type() {
        return type;
    }

    private RecallTask create(TaskOptions options) {
        int chosen = options.length() == 0 ? length : options.length();
        check(chosen);
        return new RecallTask(this, chosen, options.limited(examples), options.seed());
    }

    String taskName() {
        return type.name();
    }

    /**
     * Checks a length.
     *
     * @throws InvalidInputException if it cannot be had
     */
    void check(int chosen) {
        if (chosen < least) {
            throw new InvalidInputException(
                    "Task "
                            + taskName()
                            + " needs a length of at least "
                            + least
                            + " tokens, not "
                            + chosen);
        }
    }

    /**
     * Returns what draws examples.
     *
     * @param length T
     * @param vocabulary how many ids the model knows, at least {@link #leastVocabulary}
     */
    abstract SyntheticTask draw(int length, long vocabulary);

    /** Returns whether each place asks about a token that stood before, with its answer. */
    boolean hasGaps() {
        return true;
    }

    /** Returns how many ids a model must know. */
    long leastVocabulary(int length) {
        return draw(length, 0).vocabulary();
    }
}
