package dev.recurrent.training.metric;

/**
 * The share of labelled positions at which the model recalls the label, as the authors of
 * multi-query associative recall measure it (Arora et al., "Zoology", 2023): all queries of all
 * rows weigh alike, and what is not a query carries {@link Labels#IGNORED}.
 *
 * <p>By definition the {@link TokenAccuracy} of such labels, under the name that results of recall
 * tasks go by.
 */
public final class RecallAccuracy extends TokenAccuracy {

    /** Constructs the evaluator. */
    public RecallAccuracy() {
        super("RecallAccuracy");
    }
}
