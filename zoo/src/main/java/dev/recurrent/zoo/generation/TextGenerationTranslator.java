package dev.recurrent.zoo.generation;

import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.zoo.text.Tokenizer;
import java.util.Collections;
import java.util.List;

/**
 * Continues a prompt, in a Predictor of a {@link dev.recurrent.blocks.LanguageModel}. {@code
 * batchPredict} generates its prompts in one batch. For text while it is generated see {@link
 * StreamingTextTranslator}.
 *
 * <p>How generation fits into a Predictor: the input step only remembers the prompt and returns no
 * tensors, for which a Predictor does not run the Block; the output step runs a {@link Generator}
 * on it. Predictors on several threads may share a translator.
 */
public final class TextGenerationTranslator extends GenerationTranslator<String, String> {

    private final GenerationConfig config;

    /**
     * Constructs a translator that multiplies in bfloat16 on GPUs, else in the weights' type.
     *
     * @param tokenizer the model's tokenizer, closed by its owner
     * @param config how prompts are continued
     */
    public TextGenerationTranslator(Tokenizer tokenizer, GenerationConfig config) {
        this(tokenizer, config, null);
    }

    /**
     * Constructs a translator.
     *
     * @param tokenizer the model's tokenizer, closed by its owner
     * @param config how prompts are continued
     * @param precision of products; null for bfloat16 on GPUs, else the weights' type
     */
    public TextGenerationTranslator(
            Tokenizer tokenizer, GenerationConfig config, MatrixPrecision precision) {
        super(tokenizer, precision);
        this.config = config;
    }

    @Override
    List<String> generate(Generator generator, List<String> prompts) {
        return generator.generate(prompts, Collections.nCopies(prompts.size(), config)).stream()
                .map(GenerationResult::text)
                .toList();
    }
}
