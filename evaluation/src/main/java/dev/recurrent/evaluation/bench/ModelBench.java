package dev.recurrent.evaluation.bench;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.rule.Positions;
import dev.recurrent.zoo.generation.Session;
import java.util.Arrays;

/** A whole model: prefill, single tokens, and a training pass. */
public final class ModelBench {

    private static final int PREFILL = 1024;
    private static final int TRAINING = 256;
    private static final int PREFILL_CHUNK = 1024;

    private final String name;
    private final LanguageModel model;

    /**
     * Constructs a benchmark.
     *
     * @param name of the model
     * @param model with its weights
     */
    public ModelBench(String name, LanguageModel model) {
        this.name = name;
        this.model = model;
    }

    /**
     * Times prefill of 1024 tokens, a token after it, and forward + backward of 256.
     *
     * @param bench takes the results
     * @param shape B and T of the prefill where the user chose them
     */
    public void run(Bench bench, BenchShape shape) {
        int batch = shape.batchOr(1);
        int length = shape.lengthOr(PREFILL);
        prefill(bench, batch, length);
        step(bench, batch, length);
        training(bench, batch, shape.lengthOr(TRAINING));
    }

    /**
     * Shows how time grows with length: prefill of 8192 tokens beside 1024, a token at position
     * 10,000 beside 100.
     *
     * @param bench takes the results
     */
    public void runLengths(Bench bench) {
        Measurement few = prefill(bench, 1, 1024);
        Measurement many = prefill(bench, 1, 8192);
        bench.compare(name + ": prefill 8192 / 1024", many, few);
        Measurement early = step(bench, 1, 100);
        Measurement late = step(bench, 1, 10_000);
        bench.compare(name + ": a token at 10000 / 100", late, early);
    }

    private Measurement prefill(Bench bench, int batch, int length) {
        long[][] rows = rows(batch, length);
        return bench.time(
                work(batch, length),
                "prefill",
                (long) batch * length,
                scope -> {
                    try (Session session = newSession(scope, batch)) {
                        NDArray logits = session.feed(rows, PREFILL_CHUNK); // [B, vocabulary]
                        logits.attach(scope);
                        return logits;
                    }
                });
    }

    private Measurement step(Bench bench, int batch, int position) {
        long[][] token = rows(batch, 1);
        try (Session session = newSession(bench.manager(), batch)) {
            session.feed(rows(batch, position), PREFILL_CHUNK);
            return bench.time(
                    work(batch, position), "a token after", batch, scope -> session.feed(token, 1));
        }
    }

    private void training(Bench bench, int batch, int length) {
        long[] ids = Randoms.ids(batch * (length + 1), model.config().vocabulary());
        ParameterStore store = new ParameterStore(bench.manager(), false);
        bench.timeGradient(
                work(batch, length),
                "forward + backward",
                (long) batch * length,
                scope -> loss(store, scope.create(ids, new Shape(batch, length + 1))));
    }

    /** Mean negative log-likelihood of every token but the first. */
    private NDArray loss(ParameterStore store, NDArray ids) {
        NDManager scope = ids.getManager();
        long batch = ids.getShape().get(0);
        long length = ids.getShape().get(1) - 1;
        NDArray inputs = ids.get(":, :-1");
        NDArray targets = ids.get(":, 1:").expandDims(2); // [B, T, 1]
        Positions positions = Positions.range(scope, batch, length, 0);
        NDArray logits = model.forward(store, inputs, positions, null, true).values();
        return logits.logSoftmax(-1).gather(targets, 2).mean().neg();
    }

    private Session newSession(NDManager manager, int rows) {
        return new Session(model, new ParameterStore(manager, false), manager, rows);
    }

    private long[][] rows(int batch, int length) {
        long[] row = Randoms.ids(length, model.config().vocabulary());
        long[][] rows = new long[batch][];
        Arrays.fill(rows, row);
        return rows;
    }

    private String work(int batch, int length) {
        return name + " B " + batch + " T " + length;
    }
}
