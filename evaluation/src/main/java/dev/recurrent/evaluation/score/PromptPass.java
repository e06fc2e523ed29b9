package dev.recurrent.evaluation.score;

import ai.djl.ndarray.NDArray;
import dev.recurrent.zoo.generation.Session;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Contexts of a batch on their way through the model, once, and all that continues them. */
final class PromptPass {

    private final Session session;
    private final long vocabulary;
    private final int batch;

    /**
     * Constructs a pass.
     *
     * @param session with a row for each context
     * @param vocabulary of its model
     * @param batch how many continuations run together
     */
    PromptPass(Session session, long vocabulary, int batch) {
        this.session = session;
        this.vocabulary = vocabulary;
        this.batch = batch;
    }

    /**
     * Scores continuations.
     *
     * @param prompts as many as the session has rows
     * @param results where the scores of their continuations belong
     */
    void score(List<Prompt> prompts, List<List<Scores>> results) {
        long[][] contexts = prompts.stream().map(Prompt::context).toArray(long[][]::new);
        NDArray last =
                session.lastHidden(
                        contexts, Math.max(1, RowPass.TOKENS / contexts.length)); // [B, D]
        TargetScorer firsts = new TargetScorer(session, vocabulary);
        List<Integer> owners = new ArrayList<>();
        List<Scores> scores = new ArrayList<>();
        for (int i = 0; i < contexts.length; i++) {
            for (Scores continuation : results.get(i)) {
                firsts.want(i, continuation, 0);
                if (continuation.targets().length > 1) {
                    owners.add(i);
                    scores.add(continuation);
                }
            }
        }
        firsts.score(last);
        for (int from = 0; from < scores.size(); from += batch) {
            int to = Math.min(from + batch, scores.size());
            int[] rows = owners.subList(from, to).stream().mapToInt(i -> i).toArray();
            try (Session branches = session.fork(rows)) {
                branch(branches, scores.subList(from, to));
            }
        }
    }

    /** Scores all tokens of continuations but the first, by what follows their others. */
    private void branch(Session session, List<Scores> scores) {
        TargetScorer targets = new TargetScorer(session, vocabulary);
        long[][] ids = new long[scores.size()][];
        int longest = scores.stream().mapToInt(s -> s.targets().length - 1).max().orElseThrow();
        for (int row = 0; row < ids.length; row++) {
            long[] tokens = scores.get(row).targets();
            ids[row] = Arrays.copyOf(tokens, tokens.length - 1);
            for (int i = 0; i < ids[row].length; i++) {
                targets.want(row * longest + i, scores.get(row), i + 1);
            }
        }
        targets.score(TargetScorer.flat(session.hidden(ids)));
    }
}
