package dev.recurrent.evaluation.task.text;

import dev.recurrent.evaluation.score.Scorer;
import dev.recurrent.evaluation.score.StreamingScorer;
import java.io.IOException;

/** A text in one pass that carries the state. */
final class Stream {

    private final Scorer scorer;
    private final Stretches stretches;

    Stream(Scorer scorer, Stretches stretches) {
        this.scorer = scorer;
        this.stretches = stretches;
    }

    /** Scores all tokens, and returns how many the model read. */
    long read(TokenSource tokens) throws IOException {
        try (StreamingScorer stream = scorer.stream(stretches::add)) {
            tokens.forEach(
                    id -> {
                        if (stream.add(id)) {
                            scorer.report(stretches.done());
                        }
                    });
            stream.finish();
            return stream.scored();
        }
    }
}
