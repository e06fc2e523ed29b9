package dev.recurrent.zoo.generation;

import ai.djl.inference.streaming.StreamingTranslator;
import ai.djl.ndarray.NDList;
import ai.djl.translate.TranslatorContext;
import dev.recurrent.blocks.torch.MatrixPrecision;
import dev.recurrent.zoo.text.Tokenizer;
import java.util.List;
import java.util.stream.Stream;

/**
 * Continues a prompt and gives the text out while it is generated:
 *
 * <pre>{@code
 * try (TokenStream text = predictor.streamingPredict(prompt).getIterativeOutput()) {
 *     text.forEachRemaining(System.out::print);
 * }
 * }</pre>
 *
 * <p>{@code predict} returns the same stream. It fits into a Predictor as {@link
 * TextGenerationTranslator} does. A stream lives in the Predictor: closing either frees the state.
 */
public final class StreamingTextTranslator extends GenerationTranslator<String, TokenStream>
        implements StreamingTranslator<String, TokenStream> {

    private final GenerationConfig config;

    /**
     * Constructs a translator that multiplies in bfloat16 on GPUs, else in the weights' type.
     *
     * @param tokenizer the model's tokenizer, closed by its owner
     * @param config how prompts are continued
     */
    public StreamingTextTranslator(Tokenizer tokenizer, GenerationConfig config) {
        this(tokenizer, config, null);
    }

    /**
     * Constructs a translator.
     *
     * @param tokenizer the model's tokenizer, closed by its owner
     * @param config how prompts are continued
     * @param precision of products; null for bfloat16 on GPUs, else the weights' type
     */
    public StreamingTextTranslator(
            Tokenizer tokenizer, GenerationConfig config, MatrixPrecision precision) {
        super(tokenizer, precision);
        this.config = config;
    }

    @Override
    List<TokenStream> generate(Generator generator, List<String> prompts) {
        return prompts.stream().map(prompt -> generator.stream(prompt, config)).toList();
    }

    @Override
    public StreamOutput<TokenStream> processStreamOutput(
            TranslatorContext ctx, Stream<NDList> list) {
        // Closing the Block's stream, which is empty, closes the context.
        try (list) {
            TokenStream text = generator(ctx).stream(inputs(ctx).get(0), config);
            return new Pieces(text);
        }
    }

    @Override
    public Support getSupport() {
        return Support.ITERATIVE;
    }

    private static final class Pieces extends StreamOutput<TokenStream> {

        private final TokenStream text;

        Pieces(TokenStream text) {
            this.text = text;
        }

        @Override
        public TokenStream getIterativeOutputInternal() {
            return text;
        }

        @Override
        protected TokenStream buildAsyncOutput() {
            throw new UnsupportedOperationException("Text is generated while it is read");
        }

        @Override
        protected void computeAsyncOutputInternal(TokenStream output) {
            throw new UnsupportedOperationException("Text is generated while it is read");
        }
    }
}
