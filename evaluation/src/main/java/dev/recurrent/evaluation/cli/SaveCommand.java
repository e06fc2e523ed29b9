package dev.recurrent.evaluation.cli;

import dev.recurrent.blocks.torch.ScalarType;
import dev.recurrent.evaluation.InvalidInputException;
import dev.recurrent.evaluation.Suggestions;
import dev.recurrent.evaluation.verify.Expected;
import dev.recurrent.zoo.Pretrained;
import dev.recurrent.zoo.config.HubConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Writes a model as a folder that Python, DJL Serving and this project open. */
@Command(
        name = "save",
        header = "Writes a model as a folder in Hugging Face form.",
        description = {
            "Writes a model as a folder in Hugging Face form: config.json, model.safetensors (or"
                    + " several with an index) under upstream names, and serving.properties. An"
                    + " entry of the zoo becomes a folder to look into; a folder changes its type"
                    + " or the size of its files."
        })
final class SaveCommand implements Callable<Integer> {

    private static final Map<String, ScalarType> TYPES =
            Map.of(
                    "float32", ScalarType.FLOAT32,
                    "bfloat16", ScalarType.BFLOAT16,
                    "float16", ScalarType.FLOAT16);

    private static final long MEBI = 1 << 20;

    @Spec private CommandSpec spec;

    @Mixin private DeviceOption device;

    @Option(
            names = {"-m", "--model"},
            required = true,
            paramLabel = "MODEL",
            description = "An entry of the zoo, with a size (hawk:1.3b) or without, or a folder.")
    private String model;

    @Option(
            names = {"-o", "--output"},
            required = true,
            paramLabel = "DIR",
            description = "The folder to write, which must not hold a model yet.")
    private Path output;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            defaultValue = "float32",
            description = "float32, bfloat16 or float16 (default: ${DEFAULT-VALUE}).")
    private String dtype;

    @Option(
            names = "--max-shard-mib",
            paramLabel = "N",
            defaultValue = "4768",
            description = "The size of a file of weights in MiB (default: ${DEFAULT-VALUE}).")
    private long maxShardMib;

    @Option(
            names = "--expected",
            description = "Also write what this implementation computes, as verify reads it.")
    private boolean expected;

    @Override
    public Integer call() throws Exception {
        ScalarType type = TYPES.get(dtype);
        if (type == null) {
            throw Suggestions.unknown("dtype", dtype, TYPES.keySet().stream().sorted().toList());
        }
        if (maxShardMib < 1) {
            throw new InvalidInputException("--max-shard-mib must be >= 1, not " + maxShardMib);
        }
        if (Files.exists(output.resolve(HubConfig.FILE))) {
            throw new InvalidInputException(output + " holds a model already; name a new folder");
        }
        ModelName name = ModelName.of(model);
        name.warn(spec.commandLine().getErr());
        try (Pretrained pretrained = name.open(device)) {
            pretrained.save(output, type, maxShardMib * MEBI);
            if (expected) {
                Expected.compute(pretrained.model(), pretrained.manager(), 0).write(output);
            }
        }
        spec.commandLine().getOut().println(output);
        return 0;
    }
}
