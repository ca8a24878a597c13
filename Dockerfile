# The image that `make image` makes, for those who build with Docker: docker build -t leasehold .
# docs/image.md says what is in it. For another platform: docker buildx build --platform linux/arm64 -t leasehold .
FROM --platform=$BUILDPLATFORM debian:bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
    ca-certificates gcc libatomic1 libc6-dev make nodejs npm
WORKDIR /leasehold
COPY . .
# Seconds since 1970: the date of all files.
ARG SOURCE_DATE_EPOCH=0
RUN make build && IMAGE_ROOTS=/image IMAGE_LEVEL=1 make image

FROM scratch
ARG TARGETARCH
COPY --from=build /image/$TARGETARCH/ /
ENV PATH=/usr/bin
ENV UV_THREADPOOL_SIZE=25
ENV NODE_OPTIONS="--v8-pool-size=1 --max-semi-space-size=2 --disable-sigusr1"
ENTRYPOINT ["/usr/bin/leasehold"]
CMD ["daemon"]
