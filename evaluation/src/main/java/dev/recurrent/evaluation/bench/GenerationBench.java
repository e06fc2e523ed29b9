package dev.recurrent.evaluation.bench;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.zoo.generation.GenerationConfig;
import dev.recurrent.zoo.generation.GenerationResult;
import dev.recurrent.zoo.generation.Generator;
import dev.recurrent.zoo.generation.PreparedModel;
import java.util.Collections;
import java.util.List;
import java.util.Locale;

/**
 * Greedy generation by a model that serves many calls: 64 tokens after a prompt of 128, the
 * prompt's time included, and a token more, which is the difference to a run of 64 further tokens.
 */
public final class GenerationBench {

    private static final int PROMPT = 128;
    private static final int TOKENS = 64;
    private static final int[] BATCHES = {1, 16};
    private static final int LONG_PROMPT = 2048;

    private final String name;
    private final LanguageModel model;
    private final MatrixPrecision precision;

    /**
     * Constructs a benchmark.
     *
     * @param name of the model
     * @param model with its weights
     * @param precision of its products
     */
    public GenerationBench(String name, LanguageModel model, MatrixPrecision precision) {
        this.name = name;
        this.model = model;
        this.precision = precision;
    }

    /**
     * Times what passes before the first token after a long prompt, then generation of one text and
     * of 16, or of as many as the user chose.
     *
     * @param bench takes the results
     * @param shape texts and tokens of a prompt where the user chose them
     */
    public void run(Bench bench, BenchShape shape) {
        try (NDManager manager = bench.newManager();
                PreparedModel prepared = new PreparedModel(model, precision, manager)) {
            run(bench, shape, prepared);
        }
    }

    private void run(Bench bench, BenchShape shape, PreparedModel prepared) {
        prefill(bench, shape.lengthOr(LONG_PROMPT), prepared);
        int[] batches = shape.batch() == 0 ? BATCHES : new int[] {shape.batch()};
        for (int batch : batches) {
            long[] prompt = Randoms.ids(shape.lengthOr(PROMPT), model.config().vocabulary());
            List<long[]> prompts = Collections.nCopies(batch, prompt);
            Measurement some = time(bench, prompts, TOKENS, prepared);
            Measurement more = time(bench, prompts, 2 * TOKENS, prepared);
            bench.add(
                    new Measurement(
                            work(prompts),
                            "a token more",
                            (more.seconds() - some.seconds()) / TOKENS,
                            batch,
                            0,
                            more.runs()));
        }
    }

    private void prefill(Bench bench, int length, PreparedModel prepared) {
        long[] prompt = Randoms.ids(length, model.config().vocabulary());
        GenerationConfig config = config(1);
        List<long[]> prompts = List.of(prompt);
        bench.time(
                work(prompts),
                "the first token",
                length,
                scope -> generate(scope, prompts, config, prepared));
    }

    private static GenerationConfig config(int tokens) {
        return GenerationConfig.builder().optMaxNewTokens(tokens).optIgnoreEndOfText(true).build();
    }

    private Measurement time(
            Bench bench, List<long[]> prompts, int tokens, PreparedModel prepared) {
        GenerationConfig config = config(tokens);
        return bench.time(
                work(prompts),
                tokens + " tokens",
                (long) prompts.size() * tokens,
                scope -> generate(scope, prompts, config, prepared));
    }

    private NDArray generate(
            NDManager scope,
            List<long[]> prompts,
            GenerationConfig config,
            PreparedModel prepared) {
        List<GenerationResult> results =
                new Generator(prepared, new NoText(model.config().vocabulary()), scope)
                        .generateIds(prompts, Collections.nCopies(prompts.size(), config));
        return scope.create(results.get(0).ids().get(0));
    }

    private String work(List<long[]> prompts) {
        return name
                + " B "
                + prompts.size()
                + " T "
                + prompts.get(0).length
                + " "
                + precision.name().toLowerCase(Locale.ROOT)
                + " generation";
    }
}
