package dev.recurrent.evaluation.cli;

import ai.djl.ndarray.NDManager;
import dev.recurrent.blocks.LanguageModel;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.Suggestions;
import dev.recurrent.evaluation.bench.Bench;
import dev.recurrent.evaluation.bench.BenchModels;
import dev.recurrent.evaluation.bench.BenchShape;
import dev.recurrent.evaluation.bench.ContinuationBench;
import dev.recurrent.evaluation.bench.GenerationBench;
import dev.recurrent.evaluation.bench.Measurement;
import dev.recurrent.evaluation.bench.MixerBench;
import dev.recurrent.evaluation.bench.ModelBench;
import dev.recurrent.evaluation.bench.RuleBench;
import dev.recurrent.evaluation.bench.TrainingBench;
import dev.recurrent.evaluation.report.Numbers;
import dev.recurrent.zoo.Pretrained;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures time, throughput and memory. */
@Command(
        name = "bench",
        header = "Measures time, throughput and memory.",
        description = {
            "Measures time, tokens/s and memory: medians after warm-up, the loop over time beside"
                + " the chunked form. Without a choice it measures the delta rule, the linear"
                + " recurrence, how time grows with length on small models, and two models of 183M"
                + " and 237M parameters; that takes some minutes."
        })
final class BenchCommand implements Callable<Integer> {

    /** A recurrent model, and one with attention over a window. */
    private static final List<String> CONTINUATION_MODELS = List.of("gated-deltanet", "griffin");

    @Spec private CommandSpec spec;

    @Mixin private DeviceOption device;

    @Option(
            names = "--rule",
            split = ",",
            paramLabel = "RULE",
            description =
                    "delta-rule, gated-delta-rule, state-space-duality, linear-recurrence; or all.")
    private List<String> rules = List.of();

    @Option(
            names = "--mixer",
            split = ",",
            paramLabel = "MIXER",
            description =
                    "delta-net, gated-deltanet, mamba2, rg-lru, attention,"
                            + " sliding-window-attention; or all.")
    private List<String> mixers = List.of();

    @Option(
            names = {"--model", "-m"},
            split = ",",
            paramLabel = "MODEL",
            description =
                    "An entry of the zoo, a folder, or recurrent-gemma-183m, qwen3.5-237m,"
                        + " gated-deltanet-358m, recurrent-gemma-2b, gated-deltanet-1.4b (random"
                        + " weights).")
    private List<String> models = List.of();

    @Option(
            names = "--training",
            description = "Time training steps of the models: both passes, clipping and AdamW.")
    private boolean training;

    @Option(
            names = "--continuations",
            description =
                    "Time questions of four choices: the context read once, beside each choice"
                            + " scored alone. Without --model on gated-deltanet and griffin.")
    private boolean continuations;

    @Option(
            names = "--generation",
            description =
                    "Time greedy generation of one text and of 16. Without --model on"
                            + " recurrent-gemma-2b and gated-deltanet-1.4b.")
    private boolean generation;

    @Option(
            names = "--precision",
            paramLabel = "TYPE",
            defaultValue = "full",
            description =
                    "Of the products in training and generation: full, bfloat16 or float16"
                            + " (default: ${DEFAULT-VALUE}).")
    private MatrixPrecision precision;

    @Option(
            names = "--recompute",
            description = "Run layers again in the backward pass instead of keeping activations.")
    private boolean recomputing;

    @Option(
            names = {"--batch", "-b"},
            paramLabel = "N",
            defaultValue = "0",
            description = "Rows (default: 1; 4 for continuations).")
    private int batch;

    @Option(
            names = "--length",
            paramLabel = "N",
            defaultValue = "0",
            description = "Tokens (default: each benchmark's own).")
    private int length;

    @Option(names = "--json", description = "Print JSON.")
    private boolean json;

    @Override
    public Integer call() throws Exception {
        BenchShape shape = shape();
        requireOneMeasurement();
        if (generation && models.isEmpty()) {
            models = BenchModels.GENERATION;
        }
        if (continuations && models.isEmpty()) {
            models = CONTINUATION_MODELS;
        }
        List<RuleBench> chosenRules = choose("rule", rules, RuleBench.values());
        List<MixerBench> chosenMixers = choose("mixer", mixers, MixerBench.values());
        List<String> own = models.stream().filter(BenchModels.NAMED::contains).toList();
        List<ModelName> others =
                models.stream().filter(name -> !own.contains(name)).map(ModelName::of).toList();
        try (NDManager manager = device.newManager()) {
            Bench bench = new Bench(manager, this::tell);
            if (rules.isEmpty() && mixers.isEmpty() && models.isEmpty()) {
                defaults(bench, shape);
            }
            chosenRules.forEach(rule -> rule.run(bench, shape));
            chosenMixers.forEach(mixer -> mixer.run(bench, shape));
            for (String name : own) {
                measureNamed(name, bench, shape);
            }
            for (ModelName name : others) {
                try (Pretrained model = name.open(device)) {
                    measure(name.text(), model.model(), bench, shape);
                }
            }
            BenchOutput output = new BenchOutput(bench, device.device());
            spec.commandLine().getOut().print(json ? output.toJson() : output.toTable());
        }
        return 0;
    }

    private void requireOneMeasurement() {
        if (Stream.of(continuations, training, generation).filter(chosen -> chosen).count() > 1) {
            throw new InvalidInputException(
                    "--continuations, --training and --generation are several measurements");
        }
        if (!training && recomputing) {
            throw new InvalidInputException("--recompute belongs to --training");
        }
        if (!training && !generation && precision != MatrixPrecision.FULL) {
            throw new InvalidInputException("--precision belongs to --training and --generation");
        }
    }

    private BenchShape shape() {
        try {
            return new BenchShape(batch, length);
        } catch (IllegalArgumentException e) {
            throw new InvalidInputException(e.getMessage(), e);
        }
    }

    private static <E extends Enum<E>> List<E> choose(String kind, List<String> names, E[] all) {
        if (names.contains("all")) {
            return List.of(all);
        }
        List<String> known = Arrays.stream(all).map(BenchCommand::name).toList();
        for (String name : names) {
            if (!known.contains(name)) {
                throw Suggestions.unknown(kind, name, known);
            }
        }
        return names.stream().map(name -> all[known.indexOf(name)]).toList();
    }

    private static String name(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    private void defaults(Bench bench, BenchShape shape) throws Exception {
        RuleBench.DELTA_RULE.run(bench, shape);
        RuleBench.LINEAR_RECURRENCE.run(bench, shape);
        BenchModels.small()
                .forEach(
                        (name, config) -> {
                            try (NDManager weights = bench.newManager()) {
                                new ModelBench(name, BenchModels.initialized(config, weights))
                                        .runLengths(bench);
                            }
                        });
        for (String peer : BenchModels.PEERS) {
            measureNamed(peer, bench, shape);
        }
    }

    private void measureNamed(String name, Bench bench, BenchShape shape) throws Exception {
        try (NDManager weights = bench.newManager()) {
            measure(name, BenchModels.named(name, weights), bench, shape);
        }
    }

    private void measure(String name, LanguageModel model, Bench bench, BenchShape shape) {
        if (continuations) {
            new ContinuationBench(name, model).run(bench, shape);
        } else if (generation) {
            new GenerationBench(name, model, precision).run(bench, shape);
        } else if (training) {
            new TrainingBench(precision, recomputing).run(bench, name, model, shape);
        } else {
            new ModelBench(name, model).run(bench, shape);
        }
    }

    private void tell(Measurement measurement) {
        spec.commandLine()
                .getErr()
                .println(
                        measurement.work()
                                + ", "
                                + measurement.form()
                                + ": "
                                + Numbers.duration(measurement.seconds()));
    }
}
