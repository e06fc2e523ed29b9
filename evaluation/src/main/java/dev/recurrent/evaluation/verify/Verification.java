package dev.recurrent.evaluation.verify;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.torch.Aten;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.zoo.generation.Session;
import java.util.Arrays;
import java.util.List;

/**
 * Runs a model in every way it can be run and compares each with what another implementation
 * computed in one: a full forward pass, chunked prefill in uneven pieces, single steps, and greedy
 * continuation.
 */
public final class Verification {

    /**
     * Sizes of the pieces of chunked prefill, used in turn: single tokens, and around 16 and 64.
     */
    private static final int[] PIECES = {1, 5, 2, 17, 3, 63, 64, 65};

    private final LanguageModel model;
    private final NDManager manager;
    private final Expected expected;

    /**
     * Constructs a verification.
     *
     * @param model with its weights
     * @param manager on the model's device
     * @param expected what is right, its logits on the same device
     * @throws InvalidInputException if the vocabularies differ
     */
    public Verification(LanguageModel model, NDManager manager, Expected expected) {
        long vocabulary = expected.logits().getShape().get(2);
        if (vocabulary != model.config().vocabulary()) {
            throw new InvalidInputException(
                    "The expected logits are of a vocabulary of "
                            + vocabulary
                            + ", the model's is "
                            + model.config().vocabulary());
        }
        this.model = model;
        this.manager = manager;
        this.expected = expected;
    }

    /** Runs all checks. */
    public List<Check> run() {
        return List.of(
                new Check("full forward", inPieces(expected.ids()[0].length)),
                new Check("chunked prefill", inPieces(PIECES)),
                new Check("single steps", inPieces(1)),
                new Check("greedy continuation", greedy()));
    }

    /** Feeds the tokens in pieces of the given sizes, which are used in turn. */
    private double inPieces(int... sizes) {
        int length = expected.ids()[0].length;
        double difference = 0;
        try (Session session = newSession(expected.ids().length)) {
            int start = 0;
            for (int piece = 0; start < length; piece++) {
                int end = Math.min(start + sizes[piece % sizes.length], length);
                NDArray logits = session.feedAll(columns(start, end)); // [B, end − start, vocab]
                difference = worse(difference, difference(logits, start, end));
                start = end;
            }
        }
        return difference / expected.logits().abs().max().getFloat();
    }

    private double difference(NDArray logits, int start, int end) {
        try (NDManager scope = manager.newSubManager()) {
            NDArray wanted = Aten.narrow(scope, expected.logits(), 1, start, end - start);
            return wanted.sub(logits).abs().max().getFloat();
        }
    }

    /** Math.max, but a NaN is worse than any number, not better. */
    private static double worse(double a, double b) {
        return Double.isNaN(b) ? Double.POSITIVE_INFINITY : Math.max(a, b);
    }

    /** Continues row 0 by the most probable token, and that by the next; counts what differs. */
    private double greedy() {
        long[] wanted = expected.greedy();
        int differing = 0;
        try (Session session = newSession(1)) {
            NDArray logits = session.feed(expected.ids()[0]); // [1, vocabulary]
            for (int i = 0; i < wanted.length; i++) {
                long token = logits.argMax(-1).getLong(0);
                differing += token == wanted[i] ? 0 : 1;
                logits = session.feed(token);
            }
        }
        return (double) differing / wanted.length;
    }

    private Session newSession(int rows) {
        return new Session(model, new ParameterStore(manager, false), manager, rows);
    }

    private long[][] columns(int start, int end) {
        return Arrays.stream(expected.ids())
                .map(row -> Arrays.copyOfRange(row, start, end))
                .toArray(long[][]::new);
    }
}
